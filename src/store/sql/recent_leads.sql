-- What changed of late, in the order of each kind: leads handed over after lead $1, touches after touch
-- $2, passes that last beyond $3; at most $4 of each. Each with its kind and its place in that order.
SELECT kind, place, lead_id FROM (
    SELECT CAST(0 AS BIGINT) AS kind, lead_id AS place, lead_id FROM standing
    WHERE lead_id > $1 ORDER BY lead_id LIMIT $4
) AS recent_leads
UNION ALL
SELECT kind, place, lead_id FROM (
    SELECT CAST(1 AS BIGINT) AS kind, touch_key AS place, lead_id FROM touch
    WHERE touch_key > $2 ORDER BY touch_key LIMIT $4
) AS recent_touches
UNION ALL
SELECT kind, place, lead_id FROM (
    SELECT CAST(2 AS BIGINT) AS kind, until_ms AS place, lead_id FROM pass
    WHERE until_ms > $3 ORDER BY until_ms LIMIT $4
) AS recent_passes
