-- $1: numbers; $2: folded e-mail addresses; $3: a lead; $4: at most so many. Other leads of any queue
-- that carry one.
SELECT json_group_array(lead_id) FROM (
    SELECT lead_id FROM (
        SELECT lead_id FROM lead_number WHERE number IN (SELECT value FROM json_each($1))
        UNION
        SELECT lead_id FROM lead WHERE email_folded IN (SELECT value FROM json_each($2))
    )
    WHERE lead_id <> $3
    ORDER BY lead_id LIMIT $4
)
