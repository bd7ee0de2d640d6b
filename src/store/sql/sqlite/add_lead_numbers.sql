INSERT INTO lead_number (number, lead_id, queue_key)
SELECT value ->> 0, value ->> 1, value ->> 2 FROM jsonb_each($1)
