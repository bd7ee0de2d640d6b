SELECT rep_key FROM rep WHERE rep_id = $1
