WHERE token_id = $1
