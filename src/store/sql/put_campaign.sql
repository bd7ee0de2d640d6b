-- No row back: the campaign feeds another queue. $6: how often what lanes are made of changed by this.
INSERT INTO campaign (campaign_id, queue_key, settings, ends_at_ms, route_at_end)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (campaign_id) DO UPDATE SET
    settings = excluded.settings, ends_at_ms = excluded.ends_at_ms,
    route_at_end = excluded.route_at_end, lane_version = campaign.lane_version + $6
WHERE campaign.queue_key = excluded.queue_key
RETURNING campaign_key, lane_version, is_paused
