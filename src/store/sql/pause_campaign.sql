-- $1: campaign; $2: 1 to pause it, 0 to resume it. Its leads change lanes if that changes anything.
UPDATE campaign SET
    lane_version = lane_version + CASE WHEN is_paused = $2 THEN 0 ELSE 1 END, is_paused = $2
WHERE campaign_id = $1
RETURNING campaign_key, queue_key, settings, lane_version
