UPDATE OR FAIL lead_number SET queue_key = new.value ->> 2
FROM jsonb_each($1) AS new
WHERE lead_number.number = new.value ->> 0 AND lead_number.lead_id = new.value ->> 1
