SELECT rep_key, lead_id, until_ms FROM pass WHERE until_ms > $1 ORDER BY rep_key, lead_id
