-- $1: numbers; $2: folded e-mail addresses; $3: at most so many. The leads of any queue that carry one
-- and are open, or in nurture (route 2).
SELECT coalesce(json_agg(lead_id), '[]')::text FROM (SELECT lead_id FROM (
    SELECT lead_id FROM lead_number WHERE number = ANY (ARRAY(
        SELECT value FROM jsonb_array_elements_text($1::jsonb)
    ))
    UNION
    SELECT lead_id FROM lead WHERE email_folded = ANY (ARRAY(
        SELECT value FROM jsonb_array_elements_text($2::jsonb)
    ))
) AS carriers
JOIN standing USING (lead_id)
WHERE state < 3 OR route = 2
LIMIT $3) AS open
