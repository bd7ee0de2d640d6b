-- $1: numbers; $2: folded e-mail addresses; $3: at most so many. The leads of any queue that carry one
-- and are open, or in nurture (route 2).
SELECT json_group_array(lead_id) FROM (SELECT lead_id FROM (
    SELECT lead_id FROM lead_number WHERE number IN (SELECT value FROM json_each($1))
    UNION
    SELECT lead_id FROM lead WHERE email_folded IN (SELECT value FROM json_each($2))
)
JOIN standing USING (lead_id)
WHERE state < 3 OR route = 2
LIMIT $3)
