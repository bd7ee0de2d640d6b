INSERT INTO skip (token, rep_key, at_ms)
SELECT value ->> 0, (value ->> 1)::bigint, (value ->> 2)::bigint
FROM jsonb_array_elements($1::jsonb) AS new(value)
