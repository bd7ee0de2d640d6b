DELETE FROM request WHERE (caller, request_id) IN (
    SELECT caller, request_id FROM request WHERE at_ms <= $1 ORDER BY at_ms LIMIT $2
)
