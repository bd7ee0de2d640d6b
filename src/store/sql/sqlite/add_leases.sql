INSERT OR FAIL INTO lease (lead_id, queue_key, rep_key, holder_key, token, serve_order, rule_version,
    granted_at_ms, expires_at_ms, held_until_ms, renewable_until_ms, dialable, points)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6,
    value ->> 7, value ->> 8, value ->> 9, value ->> 10, value ->> 11, value ->> 12
FROM jsonb_each($1)
WHERE true
ON CONFLICT DO NOTHING
