-- $1: numbers; $2: folded e-mail addresses; $3: a lead; $4: at most so many. Other leads of any queue
-- that carry one.
SELECT coalesce(json_agg(lead_id), '[]')::text FROM (
    SELECT lead_id FROM (
        SELECT lead_id FROM lead_number WHERE number = ANY (ARRAY(
            SELECT value FROM jsonb_array_elements_text($1::jsonb)
        ))
        UNION
        SELECT lead_id FROM lead WHERE email_folded = ANY (ARRAY(
            SELECT value FROM jsonb_array_elements_text($2::jsonb)
        ))
    ) AS carriers
    WHERE lead_id <> $3
    ORDER BY lead_id LIMIT $4
) AS others
