-- $1: numbers; $2: e-mail addresses, folded; $3, $4: the hashes of both, if anything was ever erased.
-- $5: the numbers that a cap counts for, and their hashes; $6: since when. Who holds the numbers, and what
-- is suppressed and until when: in clear, and as a hash; when what is capped was dialled.
SELECT json_build_array(
    (SELECT coalesce(json_agg(json_build_array(number, lead_id)), '[]') FROM held_number
     WHERE number = ANY (ARRAY(SELECT value FROM jsonb_array_elements_text($1::jsonb)))),
    (SELECT coalesce(json_agg(json_build_array(value, until_ms)), '[]') FROM suppression
     WHERE kind = 'number' AND value = ANY (ARRAY(SELECT value FROM jsonb_array_elements_text($1::jsonb)))),
    (SELECT coalesce(json_agg(json_build_array(value, until_ms)), '[]') FROM suppression
     WHERE kind = 'email' AND value = ANY (ARRAY(SELECT value FROM jsonb_array_elements_text($2::jsonb)))),
    (SELECT coalesce(json_agg(json_build_array(value, until_ms)), '[]') FROM suppression
     WHERE kind = 'number' AND value = ANY (ARRAY(SELECT value FROM jsonb_array_elements_text($3::jsonb)))),
    (SELECT coalesce(json_agg(json_build_array(value, until_ms)), '[]') FROM suppression
     WHERE kind = 'email' AND value = ANY (ARRAY(SELECT value FROM jsonb_array_elements_text($4::jsonb)))),
    (SELECT coalesce(json_agg(json_build_array(number, at_ms, token)), '[]') FROM dial
     WHERE number = ANY (ARRAY(SELECT value FROM jsonb_array_elements_text($5::jsonb)))
        AND at_ms > $6)
)::text
