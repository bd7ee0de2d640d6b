SELECT source_system, engagement_id, lead_id, kind, engaged_at_ms, wakes, woke, recorded_at_ms
FROM engagement WHERE lead_id = $1 ORDER BY engagement_key DESC LIMIT $2
