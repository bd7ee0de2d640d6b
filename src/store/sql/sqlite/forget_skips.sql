DELETE FROM skip WHERE token IN (
    SELECT token FROM skip WHERE at_ms <= $1 ORDER BY at_ms LIMIT $2
)
