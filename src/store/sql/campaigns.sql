SELECT campaign_key, campaign_id, queue_key, settings, lane_version, is_paused FROM campaign ORDER BY campaign_key
