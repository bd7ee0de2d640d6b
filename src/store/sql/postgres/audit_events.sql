-- $1, $2: leads after and up to. Their events, in order within each lead.
SELECT coalesce(json_agg(json_build_array(lead_id, seq, at_ms, from_standing, to_standing)), '[]')::text
FROM (
    SELECT lead_id, seq, at_ms, from_standing, to_standing FROM ledger
    WHERE lead_id > $1 AND lead_id <= $2 ORDER BY lead_id, seq
) AS events
