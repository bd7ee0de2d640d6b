INSERT INTO lease (lead_id, queue_key, rep_key, holder_key, token, serve_order, rule_version,
    granted_at_ms, expires_at_ms, held_until_ms, renewable_until_ms, dialable, points)
SELECT (value ->> 0)::bigint, (value ->> 1)::bigint, (value ->> 2)::bigint,
    (value ->> 3)::bigint, value ->> 4, value ->> 5, (value ->> 6)::bigint,
    (value ->> 7)::bigint, (value ->> 8)::bigint, (value ->> 9)::bigint, (value ->> 10)::bigint,
    value ->> 11, (value ->> 12)::bigint
FROM jsonb_array_elements($1::jsonb) AS new(value)
ON CONFLICT DO NOTHING
