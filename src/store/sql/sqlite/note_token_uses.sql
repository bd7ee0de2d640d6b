-- Rows of [token_id, last_used_ms].
UPDATE token SET last_used_ms = max(coalesce(last_used_ms, 0), used.value ->> 1)
FROM jsonb_each($1) AS used
WHERE token_id = used.value ->> 0
