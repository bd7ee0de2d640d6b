-- The lease that the rep holds, else the one whose grace runs longest.
SELECT lead_id, queue_key, rep_key, holder_key, token, serve_order, rule_version,
    granted_at_ms, expires_at_ms, held_until_ms, renewable_until_ms, dialable, points
FROM lease WHERE rep_key = $1
ORDER BY (holder_key IS NULL), held_until_ms DESC LIMIT 1
