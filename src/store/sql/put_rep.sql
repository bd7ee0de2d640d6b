INSERT INTO rep (rep_id, queue_key, skills, is_active, work) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (rep_id) DO UPDATE SET
    queue_key = excluded.queue_key, skills = excluded.skills, is_active = excluded.is_active,
    work = excluded.work
RETURNING rep_key
