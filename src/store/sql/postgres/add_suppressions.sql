INSERT INTO suppression (kind, value, is_hashed, source, actor, at_ms)
SELECT value ->> 0, value ->> 1, (value ->> 2)::bigint, value ->> 3, value ->> 4,
    (value ->> 5)::bigint
FROM jsonb_array_elements($1::jsonb) AS new(value)
