-- $1: after this touch; $2: up to this one; $3: queue or NULL; $4: campaign or NULL; $5: recorded at
-- this instant or later, or NULL. A touch is one of the queue that had the lead then.
SELECT t.touch_id, t.lead_id, t.rep_key, t.token, t.channel, t.direction, t.number,
    t.started_at_ms, t.ended_at_ms, t.disposition, t.callback_at_ms, t.notes, t.late,
    t.recorded_at_ms, coalesce(t.queue_key, h.queue_key), l.campaign_key, l.source_system, l.external_id
FROM touch t
JOIN lead l ON l.lead_id = t.lead_id
JOIN handover h ON h.lead_id = t.lead_id AND h.is_merged = 0
WHERE t.touch_key > $1 AND t.touch_key <= $2
    AND ($3 IS NULL OR coalesce(t.queue_key, h.queue_key) = $3) AND ($4 IS NULL OR l.campaign_key = $4)
    AND ($5 IS NULL OR t.recorded_at_ms >= $5)
ORDER BY t.touch_key
