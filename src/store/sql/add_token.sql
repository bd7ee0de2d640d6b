INSERT INTO token (token_id, name, role, rep_key, hash, created_at_ms, created_by, expires_at_ms)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
