-- $1: lead; $2: after this number; $3: at most so many. Its events in order, found from the last one
-- backwards.
WITH RECURSIVE chain (event_key, previous, seq) AS (
    SELECT e.event_key, e.previous, e.seq FROM standing s
    CROSS JOIN ledger e
    WHERE s.lead_id = $1 AND e.event_key = s.last_event AND e.lead_id = s.lead_id
    UNION ALL
    SELECT e.event_key, e.previous, e.seq FROM chain
    CROSS JOIN ledger e
    WHERE e.event_key = chain.previous AND e.lead_id = $1 AND chain.seq - 1 > $2
)
SELECT e.seq, e.at_ms, e.kind, e.actor, e.from_standing, e.to_standing, e.rule_version, e.detail
FROM chain
CROSS JOIN ledger e
WHERE e.event_key = chain.event_key AND e.seq > $2
ORDER BY e.seq LIMIT $3
