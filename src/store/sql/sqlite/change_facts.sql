UPDATE lead SET email_folded = new.value ->> 1, facts = new.value ->> 2
FROM jsonb_each($1) AS new
WHERE lead.lead_id = new.value ->> 0
