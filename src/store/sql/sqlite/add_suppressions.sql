INSERT INTO suppression (kind, value, is_hashed, source, actor, at_ms)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5
FROM jsonb_each($1)
