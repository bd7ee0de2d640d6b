-- $1: the instant; $2: at most so many of a kind. What time alone has changed: leases whose grace
-- is over, leases that expired, dates that have come, open leads of campaigns that ended.
SELECT json_build_array(
    array_to_json(ARRAY(
        SELECT lead_id FROM lease WHERE held_until_ms <= $1
        ORDER BY held_until_ms, lead_id LIMIT $2)),
    array_to_json(ARRAY(
        SELECT lead_id FROM lease
        WHERE holder_key IS NOT NULL AND expires_at_ms <= $1 AND held_until_ms > $1
        ORDER BY expires_at_ms, lead_id LIMIT $2)),
    array_to_json(ARRAY(
        SELECT lead_id FROM standing WHERE due_ms IS NOT NULL AND due_ms <= $1
        ORDER BY due_ms, lead_id LIMIT $2)),
    -- By campaign, and never from the standings: each of them would be looked at, every time.
    array_to_json(ARRAY(
        SELECT s.lead_id FROM campaign c
        CROSS JOIN LATERAL (
            SELECT lead_id FROM standing
            WHERE campaign_key = c.campaign_key AND route IS NULL AND state < 3 AND state <> 2
            LIMIT $2) s
        WHERE c.ends_at_ms <= $1
        LIMIT $2))
)::text
