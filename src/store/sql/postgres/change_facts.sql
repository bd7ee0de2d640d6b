UPDATE lead SET email_folded = new.value ->> 1, facts = new.value ->> 2
FROM jsonb_array_elements($1::jsonb) AS new(value)
WHERE lead.lead_id = (new.value ->> 0)::bigint
