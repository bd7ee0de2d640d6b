-- $1: queue; $2: at most so many. What the queue asked for and did not get, the oldest first.
SELECT rep_key, lead_id, touch_id, touched_at_ms, mode FROM feedback
WHERE queue_key = $1 AND rating IS NULL
ORDER BY touched_at_ms, touch_id, caller LIMIT $2
