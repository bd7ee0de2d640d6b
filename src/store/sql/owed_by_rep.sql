-- $1: rep; $2: at most so many. What the rep owes before they get another lead, the oldest first.
SELECT rep_key, lead_id, touch_id, touched_at_ms, mode FROM feedback
WHERE rep_key = $1 AND rating IS NULL AND mode = 2
ORDER BY touched_at_ms, touch_id, caller LIMIT $2
