-- What is wrong with transfers: those that do not begin where the one before ended, or the handover; leads
-- that stand or are known elsewhere than their last one says; those of which no event tells; leads that came from elsewhere by none.
SELECT
    (SELECT count(*) FROM (
        SELECT lead_id, from_queue_key,
            lag(to_queue_key) OVER (PARTITION BY lead_id ORDER BY event_key) AS before_key
        FROM transfer
    ) AS chain JOIN handover h ON h.lead_id = chain.lead_id AND h.is_merged = 0
    WHERE chain.from_queue_key <> coalesce(chain.before_key, h.queue_key)),
    (SELECT count(*) FROM (SELECT lead_id, max(event_key) AS event_key FROM transfer GROUP BY lead_id) AS ends
    JOIN transfer t ON t.event_key = ends.event_key
    JOIN standing s ON s.lead_id = t.lead_id
    JOIN lead l ON l.lead_id = t.lead_id
    WHERE s.queue_key <> t.to_queue_key OR l.queue_key <> t.to_queue_key OR s.entered_ms IS NULL),
    (SELECT count(*) FROM transfer t WHERE NOT EXISTS (
        SELECT 1 FROM ledger e WHERE e.event_key = t.event_key AND e.lead_id = t.lead_id
            AND e.kind = 'transferred')),
    (SELECT count(*) FROM standing s WHERE s.entered_ms IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM transfer t WHERE t.lead_id = s.lead_id))
