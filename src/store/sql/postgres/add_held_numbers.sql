INSERT INTO held_number (number, lead_id)
SELECT value ->> 0, (value ->> 1)::bigint
FROM jsonb_array_elements($1::jsonb) AS new(value)
ON CONFLICT DO NOTHING
