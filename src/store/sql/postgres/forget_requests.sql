DELETE FROM request WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM request WHERE at_ms <= $1 ORDER BY at_ms LIMIT $2
))
