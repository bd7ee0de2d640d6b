SELECT version, document, author, reason, published_at_ms, in_force_at_ms
FROM rule_version WHERE queue_key = $1 AND version < $2
ORDER BY version DESC LIMIT $3
