SELECT body_hash, answer FROM request WHERE caller = $1 AND request_id = $2
