INSERT INTO dial (number, at_ms, lead_id, token)
SELECT value ->> 0, (value ->> 1)::bigint, (value ->> 2)::bigint, value ->> 3
FROM jsonb_array_elements($1::jsonb) AS new(value)
