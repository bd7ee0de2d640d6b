SELECT rep_key, rep_id, queue_key, skills, is_active, work FROM rep ORDER BY rep_key
