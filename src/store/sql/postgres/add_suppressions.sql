-- One that has ended, or that ends sooner, gives way.
INSERT INTO suppression (kind, value, is_hashed, source, actor, at_ms, until_ms)
SELECT value ->> 0, value ->> 1, (value ->> 2)::bigint, value ->> 3, value ->> 4,
    (value ->> 5)::bigint, (value ->> 6)::bigint
FROM jsonb_array_elements($1::jsonb) AS new(value)
ON CONFLICT (kind, value) DO UPDATE SET source = excluded.source, actor = excluded.actor,
    at_ms = excluded.at_ms, until_ms = excluded.until_ms
