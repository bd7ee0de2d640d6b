UPDATE token SET revoked_at_ms = $1, revoked_by = $2 WHERE revoked_at_ms IS NULL
