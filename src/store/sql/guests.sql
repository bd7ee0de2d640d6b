-- The campaigns whose leads came to a queue from another one.
SELECT DISTINCT queue_key, campaign_key FROM book WHERE transferred_in > 0
