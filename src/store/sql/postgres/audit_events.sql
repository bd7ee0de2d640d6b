-- $1, $2: leads after and up to. Their events, in order within each lead, found from the last one
-- backwards, one by one: a plan that joins reads the whole ledger for each step.
WITH RECURSIVE chain (lead_id, seq, previous, at_ms, from_standing, to_standing) AS (
    SELECT e.* FROM standing s
    CROSS JOIN LATERAL (
        SELECT lead_id, seq, previous, at_ms, from_standing, to_standing FROM ledger
        WHERE event_key = s.last_event AND lead_id = s.lead_id OFFSET 0
    ) AS e
    WHERE s.lead_id > $1 AND s.lead_id <= $2
    UNION ALL
    SELECT e.* FROM chain
    CROSS JOIN LATERAL (
        SELECT lead_id, seq, previous, at_ms, from_standing, to_standing FROM ledger
        WHERE event_key = chain.previous AND lead_id = chain.lead_id OFFSET 0
    ) AS e
)
SELECT coalesce(json_agg(json_build_array(lead_id, seq, at_ms, from_standing, to_standing)), '[]')::text
FROM (SELECT * FROM chain ORDER BY lead_id, seq) AS events
