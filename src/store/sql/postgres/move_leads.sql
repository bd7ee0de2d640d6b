UPDATE lead SET queue_key = (new.value ->> 1)::bigint
FROM jsonb_array_elements($1::jsonb) AS new(value)
WHERE lead.lead_id = (new.value ->> 0)::bigint
