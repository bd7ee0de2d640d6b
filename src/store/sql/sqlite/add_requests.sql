INSERT OR FAIL INTO request (caller, request_id, body_hash, answer, at_ms)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4 FROM jsonb_each($1)
