-- $1: queue or NULL; $2: campaign or NULL.
SELECT queue_key, campaign_key, source, handed_over, ready, waiting, leased, won, lost, nurture,
    suppressed, unreachable, superseded, merged, touched, touched_in_time, first_touch_ms_sum,
    touches, erased, transferred_in, transferred_out
FROM book
WHERE ($1 IS NULL OR queue_key = $1) AND ($2 IS NULL OR campaign_key = $2)
ORDER BY queue_key, campaign_key, source
