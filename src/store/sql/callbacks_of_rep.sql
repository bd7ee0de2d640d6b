-- $1: rep; $2, $3: after this place; $4: at most so many. What a rep promised in person, and is not on.
SELECT callback_ms, lead_id FROM standing
WHERE promised_key = $1 AND (callback_ms, lead_id) > ($2, $3) AND state < 2
ORDER BY callback_ms, lead_id LIMIT $4
