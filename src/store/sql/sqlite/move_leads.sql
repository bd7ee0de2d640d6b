UPDATE OR FAIL lead SET queue_key = new.value ->> 1
FROM jsonb_each($1) AS new
WHERE lead.lead_id = new.value ->> 0
