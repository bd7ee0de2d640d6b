-- $1: from this instant on. How many leads were called more often than was counted; how many leases are
-- counted as over that stand, or that a touch has told of.
SELECT
    (SELECT count(*) FROM (
        SELECT t.lead_id, count(*) AS made FROM touch t
        WHERE t.channel = 'call' AND t.direction = 'outbound' AND t.number IS NOT NULL
            AND t.started_at_ms > $1
        GROUP BY t.lead_id
    ) AS calls LEFT JOIN (
        SELECT lead_id, count(*) AS counted FROM dial WHERE token IS NULL AND at_ms > $1 GROUP BY lead_id
    ) AS dials ON dials.lead_id = calls.lead_id
    WHERE calls.made > coalesce(dials.counted, 0)),
    (SELECT count(*) FROM dial d WHERE d.token IS NOT NULL AND (
        EXISTS (SELECT 1 FROM lease e WHERE e.token = d.token)
        OR EXISTS (SELECT 1 FROM touch t WHERE t.lead_id = d.lead_id AND t.token = d.token)))
