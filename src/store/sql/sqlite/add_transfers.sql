INSERT OR FAIL INTO transfer (event_key, lead_id, from_queue_key, to_queue_key)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM jsonb_each($1)
