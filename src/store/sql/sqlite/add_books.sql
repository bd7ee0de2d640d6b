INSERT INTO book (queue_key, campaign_key, source)
SELECT value ->> 0, value ->> 1, value ->> 2 FROM jsonb_each($1)
WHERE true
ON CONFLICT DO NOTHING
