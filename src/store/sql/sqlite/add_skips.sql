INSERT OR FAIL INTO skip (token, rep_key, at_ms)
SELECT value ->> 0, value ->> 1, value ->> 2 FROM jsonb_each($1)
