DELETE FROM skip WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM skip WHERE at_ms <= $1 ORDER BY at_ms LIMIT $2
))
