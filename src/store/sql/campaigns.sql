SELECT campaign_key, campaign_id, queue_key, settings FROM campaign ORDER BY campaign_key
