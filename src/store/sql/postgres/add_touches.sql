INSERT INTO touch (caller, touch_id, body_hash, lead_id, rep_key, token, channel, direction,
    number, started_at_ms, ended_at_ms, disposition, callback_at_ms, notes, late, recorded_at_ms,
    suppressed_count, next_lead_id, next_token, queue_key)
SELECT value ->> 0, value ->> 1, value ->> 2, (value ->> 3)::bigint, (value ->> 4)::bigint,
    value ->> 5, value ->> 6, value ->> 7, value ->> 8, (value ->> 9)::bigint,
    (value ->> 10)::bigint, value ->> 11, (value ->> 12)::bigint, value ->> 13,
    (value ->> 14)::bigint, (value ->> 15)::bigint, (value ->> 16)::bigint,
    (value ->> 17)::bigint, value ->> 18, (value ->> 19)::bigint
FROM jsonb_array_elements($1::jsonb) AS new(value)
