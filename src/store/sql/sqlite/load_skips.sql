-- $1: reps; $2: from when on skips count. Their skips, and the leases that they have or let run out: each
-- as rep, token, when it was skipped, and from when on that is certain.
SELECT json_group_array(json_array(rep_key, token, at_ms, from_ms)) FROM (
    SELECT rep_key, token, at_ms, at_ms AS from_ms FROM skip
    WHERE at_ms > $2 AND rep_key IN (SELECT value FROM json_each($1))
    UNION ALL
    SELECT rep_key, token, expires_at_ms, held_until_ms FROM lease
    WHERE rep_key IN (SELECT value FROM json_each($1))
)
