INSERT INTO standing (lead_id, queue_key, campaign_key, source, state, standing, route, tier,
    seq, changed_at_ms, ready_since_ms, attempts, last_disposition, first_touched_ms,
    times_released, touch_by_ms, has_promise, due_ms, last_event, cadence, owner_key, callback_ms,
    promised_key)
SELECT (value ->> 0)::bigint, (value ->> 1)::bigint, (value ->> 2)::bigint, value ->> 3,
    (value ->> 4)::bigint, value ->> 5, (value ->> 6)::bigint, (value ->> 7)::bigint,
    (value ->> 8)::bigint, (value ->> 9)::bigint, (value ->> 10)::bigint, (value ->> 11)::bigint,
    value ->> 12, (value ->> 13)::bigint, (value ->> 14)::bigint, (value ->> 15)::bigint,
    (value ->> 16)::bigint, (value ->> 17)::bigint, (value ->> 18)::bigint,
    (value ->> 19)::bigint, (value ->> 20)::bigint, (value ->> 21)::bigint,
    (value ->> 22)::bigint
FROM jsonb_array_elements($1::jsonb) AS new(value)
