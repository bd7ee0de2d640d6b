-- $1: numbers; $2: e-mail addresses, folded; $3, $4: the hashes of both, if anything was ever erased.
-- Who holds the numbers, and what is suppressed: in clear, and as a hash.
SELECT json_build_array(
    (SELECT coalesce(json_agg(json_build_array(number, lead_id)), '[]') FROM held_number
     WHERE number = ANY (ARRAY(SELECT value FROM jsonb_array_elements_text($1::jsonb)))),
    array_to_json(ARRAY(
        SELECT value FROM suppression WHERE kind = 'number' AND value = ANY (ARRAY(
            SELECT value FROM jsonb_array_elements_text($1::jsonb))))),
    array_to_json(ARRAY(
        SELECT value FROM suppression WHERE kind = 'email' AND value = ANY (ARRAY(
            SELECT value FROM jsonb_array_elements_text($2::jsonb))))),
    array_to_json(ARRAY(
        SELECT value FROM suppression WHERE kind = 'number' AND value = ANY (ARRAY(
            SELECT value FROM jsonb_array_elements_text($3::jsonb))))),
    array_to_json(ARRAY(
        SELECT value FROM suppression WHERE kind = 'email' AND value = ANY (ARRAY(
            SELECT value FROM jsonb_array_elements_text($4::jsonb)))))
)::text
