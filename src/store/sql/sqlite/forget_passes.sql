DELETE FROM pass WHERE (rep_key, lead_id) IN (
    SELECT rep_key, lead_id FROM pass WHERE until_ms <= $1 ORDER BY until_ms LIMIT $2
)
