-- $1, $2: leads after and up to. Their events, in order within each lead, found from the last one
-- backwards.
WITH RECURSIVE chain (lead_id, seq, previous, at_ms, from_standing, to_standing) AS (
    SELECT e.lead_id, e.seq, e.previous, e.at_ms, e.from_standing, e.to_standing
    FROM standing s
    CROSS JOIN ledger e
    WHERE s.lead_id > $1 AND s.lead_id <= $2
        AND e.event_key = s.last_event AND e.lead_id = s.lead_id
    UNION ALL
    SELECT e.lead_id, e.seq, e.previous, e.at_ms, e.from_standing, e.to_standing
    FROM chain
    CROSS JOIN ledger e
    WHERE e.event_key = chain.previous AND e.lead_id = chain.lead_id
)
SELECT json_group_array(json_array(lead_id, seq, at_ms, from_standing, to_standing)) FROM (
    SELECT * FROM chain ORDER BY lead_id, seq
)
