SELECT rep_key, rep_id, queue_key, skills, is_active FROM rep ORDER BY rep_key
