UPDATE duty SET term = term + 1, until_ms = 0 WHERE name = $1 AND term = $2
