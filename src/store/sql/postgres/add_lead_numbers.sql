INSERT INTO lead_number (number, lead_id, queue_key)
SELECT value ->> 0, (value ->> 1)::bigint, (value ->> 2)::bigint
FROM jsonb_array_elements($1::jsonb) AS new(value)
