-- What transfers change of the books as audit_books.sql counts them, where a lead with all its touches is
-- in the book of the handover that opened it; columns as in books.sql, to be added. The crosswise joins begin
-- with what was transferred, mostly little or nothing, and not with every handover.
WITH
moved AS (
    SELECT h.queue_key AS home_key, s.queue_key, h.campaign_key, h.source, s.state, s.route,
        CASE WHEN s.first_touched_ms IS NULL THEN 0 ELSE 1 END AS touched,
        CASE WHEN s.has_promise = 1 AND s.first_touched_ms <= s.touch_by_ms THEN 1 ELSE 0 END AS in_time,
        coalesce(s.first_touched_ms - h.handed_over_at_ms, 0) AS first_touch_ms
    FROM (SELECT DISTINCT lead_id FROM transfer) AS t CROSS JOIN handover h CROSS JOIN standing s
    WHERE h.lead_id = t.lead_id AND h.is_merged = 0 AND s.lead_id = t.lead_id
),
elsewhere AS (
    SELECT h.queue_key AS home_key, t.queue_key, h.campaign_key, h.source
    FROM touch t CROSS JOIN handover h
    WHERE t.queue_key IS NOT NULL AND h.lead_id = t.lead_id AND h.is_merged = 0
),
transfers AS (
    SELECT t.from_queue_key, t.to_queue_key, h.campaign_key, h.source
    FROM transfer t CROSS JOIN handover h
    WHERE h.lead_id = t.lead_id AND h.is_merged = 0
),
parts (queue_key, campaign_key, source, leads, state, route, touched, in_time, first_touch_ms, touches,
    came, went) AS (
    SELECT home_key, campaign_key, source, -1, state, route, -touched, -in_time, -first_touch_ms, 0, 0, 0
    FROM moved
    UNION ALL
    SELECT queue_key, campaign_key, source, 1, state, route, touched, in_time, first_touch_ms, 0, 0, 0
    FROM moved
    UNION ALL
    SELECT home_key, campaign_key, source, 0, NULL, NULL, 0, 0, 0, -1, 0, 0 FROM elsewhere
    UNION ALL
    SELECT queue_key, campaign_key, source, 0, NULL, NULL, 0, 0, 0, 1, 0, 0 FROM elsewhere
    UNION ALL
    SELECT to_queue_key, campaign_key, source, 0, NULL, NULL, 0, 0, 0, 0, 1, 0 FROM transfers
    UNION ALL
    SELECT from_queue_key, campaign_key, source, 0, NULL, NULL, 0, 0, 0, 0, 0, 1 FROM transfers
)
SELECT queue_key, campaign_key, source, CAST(0 AS BIGINT),
    CAST(sum(CASE WHEN state = 0 THEN leads ELSE 0 END) AS BIGINT),
    CAST(sum(CASE WHEN state = 1 THEN leads ELSE 0 END) AS BIGINT),
    CAST(sum(CASE WHEN state = 2 THEN leads ELSE 0 END) AS BIGINT),
    CAST(sum(CASE WHEN route = 0 THEN leads ELSE 0 END) AS BIGINT),
    CAST(sum(CASE WHEN route = 1 THEN leads ELSE 0 END) AS BIGINT),
    CAST(sum(CASE WHEN route = 2 THEN leads ELSE 0 END) AS BIGINT),
    CAST(sum(CASE WHEN route = 3 THEN leads ELSE 0 END) AS BIGINT),
    CAST(sum(CASE WHEN route = 4 THEN leads ELSE 0 END) AS BIGINT),
    CAST(sum(CASE WHEN route = 5 THEN leads ELSE 0 END) AS BIGINT),
    CAST(0 AS BIGINT),
    CAST(sum(touched) AS BIGINT), CAST(sum(in_time) AS BIGINT), CAST(sum(first_touch_ms) AS BIGINT),
    CAST(sum(touches) AS BIGINT),
    CAST(sum(CASE WHEN state = 4 THEN leads ELSE 0 END) AS BIGINT),
    CAST(sum(came) AS BIGINT), CAST(sum(went) AS BIGINT)
FROM parts
GROUP BY queue_key, campaign_key, source
