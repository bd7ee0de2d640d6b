INSERT INTO transfer (event_key, lead_id, from_queue_key, to_queue_key)
SELECT (value ->> 0)::bigint, (value ->> 1)::bigint, (value ->> 2)::bigint, (value ->> 3)::bigint
FROM jsonb_array_elements($1::jsonb) AS new(value)
