INSERT INTO suppression (kind, value, source, actor, at_ms)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4 FROM jsonb_each($1)
