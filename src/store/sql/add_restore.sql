INSERT INTO restore (lead_floor, restored_at_ms, taken_back_to_ms) VALUES ($1, $2, $3)
