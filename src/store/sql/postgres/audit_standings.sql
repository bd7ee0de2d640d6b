-- $1, $2: leads after and up to. Where they stand, in words and in numbers, and who holds them.
SELECT coalesce(json_agg(json_build_array(
    s.lead_id, s.seq, s.standing, s.state, s.route, (e.lead_id IS NOT NULL)::int
)), '[]')::text
FROM standing s LEFT JOIN lease e ON e.lead_id = s.lead_id
WHERE s.lead_id > $1 AND s.lead_id <= $2
