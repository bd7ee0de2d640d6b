INSERT INTO secret (name, value) VALUES ($1, $2)
