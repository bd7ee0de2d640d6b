UPDATE lead_number SET queue_key = (new.value ->> 2)::bigint
FROM jsonb_array_elements($1::jsonb) AS new(value)
WHERE lead_number.number = new.value ->> 0 AND lead_number.lead_id = (new.value ->> 1)::bigint
