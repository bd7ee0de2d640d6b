UPDATE token SET revoked_at_ms = $2, revoked_by = $3 WHERE token_id = $1 AND revoked_at_ms IS NULL
