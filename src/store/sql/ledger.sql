SELECT seq, at_ms, kind, actor, from_standing, to_standing, rule_version, detail
FROM ledger WHERE lead_id = $1 AND seq > $2 ORDER BY seq LIMIT $3
