INSERT INTO duty (name, node_id, term, until_ms) VALUES ($1, $2, 1, $4)
ON CONFLICT (name) DO UPDATE
   SET term = CASE WHEN duty.node_id = excluded.node_id THEN duty.term ELSE duty.term + 1 END,
       node_id = excluded.node_id,
       until_ms = excluded.until_ms
 WHERE duty.node_id = excluded.node_id OR duty.until_ms <= $3
RETURNING term
