INSERT INTO queue (queue_id, settings) VALUES ($1, $2)
ON CONFLICT (queue_id) DO UPDATE SET settings = excluded.settings
RETURNING queue_key
