INSERT INTO rule_version (queue_key, version, document, author, reason, published_at_ms)
SELECT $1, coalesce(max(version), 0) + 1, $2, $3, $4, $5 FROM rule_version WHERE queue_key = $1
RETURNING version
