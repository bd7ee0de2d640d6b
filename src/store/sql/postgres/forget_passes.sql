DELETE FROM pass WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM pass WHERE until_ms <= $1 ORDER BY until_ms LIMIT $2
))
