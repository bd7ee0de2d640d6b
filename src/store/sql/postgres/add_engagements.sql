INSERT INTO engagement (source_system, engagement_id, body_hash, lead_id, kind, engaged_at_ms, wakes,
    woke, recorded_at_ms)
SELECT value ->> 0, value ->> 1, value ->> 2, (value ->> 3)::bigint, value ->> 4,
    (value ->> 5)::bigint, (value ->> 6)::bigint, (value ->> 7)::bigint, (value ->> 8)::bigint
FROM jsonb_array_elements($1::jsonb) AS new(value)
