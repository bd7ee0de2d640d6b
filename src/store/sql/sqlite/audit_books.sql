-- The books, counted again from handovers, standings and touches; columns as in books.sql. Every lead is
-- in the book of the handover that opened it: what transfers change of that is audit_transfers.sql's.
SELECT h.queue_key, h.campaign_key, h.source, count(*),
    count(*) FILTER (WHERE s.state = 0), count(*) FILTER (WHERE s.state = 1),
    count(*) FILTER (WHERE s.state = 2),
    count(*) FILTER (WHERE s.route = 0), count(*) FILTER (WHERE s.route = 1),
    count(*) FILTER (WHERE s.route = 2), count(*) FILTER (WHERE s.route = 3),
    count(*) FILTER (WHERE s.route = 4), count(*) FILTER (WHERE s.route = 5),
    count(*) FILTER (WHERE h.is_merged = 1),
    count(s.first_touched_ms),
    count(*) FILTER (WHERE s.has_promise = 1 AND s.first_touched_ms <= s.touch_by_ms),
    coalesce(sum(s.first_touched_ms - h.handed_over_at_ms), 0),
    coalesce(sum(t.touch_count), 0),
    count(*) FILTER (WHERE s.state = 4),
    CAST(0 AS BIGINT), CAST(0 AS BIGINT)
FROM handover h
LEFT JOIN standing s ON s.lead_id = h.lead_id AND h.is_merged = 0
LEFT JOIN (SELECT lead_id, count(*) AS touch_count FROM touch GROUP BY lead_id) t
    ON t.lead_id = s.lead_id
GROUP BY h.queue_key, h.campaign_key, h.source
