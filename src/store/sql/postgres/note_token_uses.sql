-- Rows of [token_id, last_used_ms].
UPDATE token SET last_used_ms = greatest(coalesce(last_used_ms, 0), (used.value ->> 1)::bigint)
FROM jsonb_array_elements($1::jsonb) AS used(value)
WHERE token_id = used.value ->> 0
