SELECT settings FROM campaign WHERE campaign_id = $1
