INSERT OR FAIL INTO held_number (number, lead_id)
SELECT value ->> 0, value ->> 1 FROM jsonb_each($1)
WHERE true
ON CONFLICT DO NOTHING
