SELECT token_key, token_id, name, role, rep_id, hash, created_at_ms, created_by, expires_at_ms,
    revoked_at_ms, revoked_by, last_used_ms
FROM token LEFT JOIN rep USING (rep_key)
