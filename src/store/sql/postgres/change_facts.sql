-- The facts are taken as they were written: parsing them would make other numbers of some.
UPDATE lead SET email_folded = new.value ->> 1, facts = new.text ->> 2
FROM ROWS FROM (jsonb_array_elements($1::jsonb), json_array_elements($1::json)) AS new(value, text)
WHERE lead.lead_id = (new.value ->> 0)::bigint
