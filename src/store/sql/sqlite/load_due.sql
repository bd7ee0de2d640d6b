-- $1: the instant; $2: at most so many of a kind. What time alone has changed: leases whose grace
-- is over, leases that expired, dates that have come, open leads of campaigns that ended.
SELECT json_array(
    (SELECT json_group_array(lead_id) FROM (
        SELECT lead_id FROM lease WHERE held_until_ms <= $1 ORDER BY held_until_ms, lead_id LIMIT $2)),
    (SELECT json_group_array(lead_id) FROM (
        SELECT lead_id FROM lease
        WHERE holder_key IS NOT NULL AND expires_at_ms <= $1 AND held_until_ms > $1
        ORDER BY expires_at_ms, lead_id LIMIT $2)),
    (SELECT json_group_array(lead_id) FROM (
        SELECT lead_id FROM standing WHERE due_ms IS NOT NULL AND due_ms <= $1
        ORDER BY due_ms, lead_id LIMIT $2)),
    (SELECT json_group_array(lead_id) FROM (
        SELECT s.lead_id FROM campaign c
        CROSS JOIN standing s ON s.campaign_key = c.campaign_key
        WHERE c.ends_at_ms <= $1 AND s.route IS NULL AND s.state < 3 AND s.state <> 2
        LIMIT $2))
)
