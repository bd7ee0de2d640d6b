INSERT INTO request (caller, request_id, body_hash, answer, at_ms) VALUES ($1, $2, $3, $4, $5)
