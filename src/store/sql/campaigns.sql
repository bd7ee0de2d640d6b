SELECT campaign_key, campaign_id, queue_key, settings, lane_version FROM campaign ORDER BY campaign_key
