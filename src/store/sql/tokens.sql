WHERE token_key < $1 AND ($2 IS NULL OR (revoked_at_ms IS NULL AND expires_at_ms > $2))
ORDER BY token_key DESC LIMIT $3
