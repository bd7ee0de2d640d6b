INSERT INTO standing (lead_id, queue_key, campaign_key, source, state, standing, route, tier, seq,
    changed_at_ms, ready_since_ms, attempts, last_disposition, first_touched_ms, times_released,
    touch_by_ms, has_promise, due_ms, last_event, cadence, owner_key, callback_ms, promised_key)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6,
    value ->> 7, value ->> 8, value ->> 9, value ->> 10, value ->> 11, value ->> 12, value ->> 13,
    value ->> 14, value ->> 15, value ->> 16, value ->> 17, value ->> 18,
    value ->> 19, value ->> 20, value ->> 21, value ->> 22
FROM jsonb_each($1)
