INSERT INTO book (queue_key, campaign_key, source)
SELECT (value ->> 0)::bigint, (value ->> 1)::bigint, value ->> 2
FROM jsonb_array_elements($1::jsonb) AS new(value)
ON CONFLICT DO NOTHING
