-- $1: after this lead; $2: so many. The last of them, or $1 if there is none.
SELECT coalesce(max(lead_id), $1)
FROM (SELECT lead_id FROM standing WHERE lead_id > $1 ORDER BY lead_id LIMIT $2) AS page
