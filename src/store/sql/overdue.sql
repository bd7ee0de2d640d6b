-- $1: the instant; $2: queue or NULL; $3: campaign or NULL. Open, untouched, promise broken.
SELECT queue_key, campaign_key, source, count(*)
FROM standing
WHERE first_touched_ms IS NULL AND route IS NULL AND state < 3 AND has_promise = 1 AND touch_by_ms < $1
    AND ($2 IS NULL OR queue_key = $2) AND ($3 IS NULL OR campaign_key = $3)
GROUP BY queue_key, campaign_key, source
