SELECT term FROM duty WHERE name = $1
