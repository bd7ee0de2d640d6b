-- Leads with their standings and leases, packed into one JSON text: one row costs less to bring over
-- than many. Their facts are a second text, in the same order: they are JSON already, so they are
-- strung together and not read and written once more. The third is the key of the last event of all. The
-- lead ids come as the array that closes the statement.
SELECT coalesce(json_agg(json_build_array(
    s.lead_id, s.queue_key, s.campaign_key, l.source_system, l.external_id,
    l.handed_over_at_ms, l.first_touch_due_ms, l.predecessor,
    s.source, s.standing, s.tier, s.seq, s.changed_at_ms, s.ready_since_ms, s.attempts,
    s.last_disposition, s.first_touched_ms, s.times_released, s.due_ms, s.last_event,
    s.cadence, s.owner_key, s.callback_ms, s.promised_key, s.entered_ms, s.transfers,
    c.ends_at_ms, c.route_at_end, c.is_paused,
    e.rep_key, e.holder_key, e.token, e.serve_order, e.rule_version,
    e.granted_at_ms, e.expires_at_ms, e.held_until_ms, e.renewable_until_ms,
    e.dialable, e.points
)), '[]')::text, '[' || coalesce(string_agg(l.facts, ','), '') || ']',
    (SELECT coalesce(max(event_key), 0) FROM ledger)
FROM standing s
JOIN lead l ON l.lead_id = s.lead_id
JOIN campaign c ON c.campaign_key = s.campaign_key
LEFT JOIN lease e ON e.lead_id = s.lead_id
WHERE s.lead_id = ANY 
