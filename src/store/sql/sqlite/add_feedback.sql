INSERT OR FAIL INTO feedback (touch_id, caller, lead_id, rep_key, queue_key, campaign_key, source,
    touched_at_ms, mode, rating, reason, given_at_ms)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6,
    value ->> 7, value ->> 8, value ->> 9, value ->> 10, value ->> 11
FROM jsonb_each($1)
