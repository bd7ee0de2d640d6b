UPDATE rule_version SET in_force_at_ms = $3 WHERE queue_key = $1 AND version = $2
