-- $1: queue; $2, $3: after this place; $4: at most so many. Promised callbacks that nobody is on.
SELECT callback_ms, lead_id FROM standing
WHERE callback_ms IS NOT NULL AND queue_key = $1 AND (callback_ms, lead_id) > ($2, $3) AND state < 2
ORDER BY callback_ms, lead_id LIMIT $4
