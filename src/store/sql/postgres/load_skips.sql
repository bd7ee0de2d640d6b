-- $1: reps; $2: from when on skips count. Their skips, and the leases that they have or let run out: each
-- as rep, token, when it was skipped, and from when on that is certain.
SELECT coalesce(json_agg(json_build_array(rep_key, token, at_ms, from_ms)), '[]')::text FROM (
    SELECT rep_key, token, at_ms, at_ms AS from_ms FROM skip
    WHERE at_ms > $2
        AND rep_key = ANY (ARRAY(SELECT value::bigint FROM jsonb_array_elements_text($1::jsonb)))
    UNION ALL
    SELECT rep_key, token, expires_at_ms, held_until_ms FROM lease
    WHERE rep_key = ANY (ARRAY(SELECT value::bigint FROM jsonb_array_elements_text($1::jsonb)))
) AS found
