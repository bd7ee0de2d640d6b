-- $1: queue or NULL; $2: campaign or NULL; $3, $4: after this place; $5: at most so many.
-- Leads that were closed and never touched, in the order of their promises.
SELECT touch_by_ms, lead_id FROM standing
WHERE first_touched_ms IS NULL AND route IS NOT NULL
    AND ($1 IS NULL OR queue_key = $1) AND ($2 IS NULL OR campaign_key = $2)
    AND (touch_by_ms, lead_id) > ($3, $4)
ORDER BY touch_by_ms, lead_id LIMIT $5
