SELECT queue_key, queue_id, settings FROM queue ORDER BY queue_key
