DELETE FROM lead_number
WHERE (number, lead_id) IN (SELECT value ->> 0, value ->> 1 FROM jsonb_each($1))
