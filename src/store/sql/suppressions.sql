-- $1: kind; $2: after this value; $3: at most so many.
SELECT value, is_hashed, source, actor, at_ms, until_ms FROM suppression
WHERE kind = $1 AND value > $2
ORDER BY value LIMIT $3
