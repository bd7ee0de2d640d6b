INSERT OR FAIL INTO touch (caller, touch_id, body_hash, lead_id, rep_key, token, channel, direction, number,
    started_at_ms, ended_at_ms, disposition, callback_at_ms, notes, late, recorded_at_ms,
    suppressed_count, next_lead_id, next_token, queue_key)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6,
    value ->> 7, value ->> 8, value ->> 9, value ->> 10, value ->> 11, value ->> 12, value ->> 13,
    value ->> 14, value ->> 15, value ->> 16, value ->> 17, value ->> 18,
    value ->> 19
FROM jsonb_each($1)
