INSERT INTO feedback (touch_id, caller, lead_id, rep_key, queue_key, campaign_key, source,
    touched_at_ms, mode, rating, reason, given_at_ms)
SELECT value ->> 0, value ->> 1, (value ->> 2)::bigint, (value ->> 3)::bigint,
    (value ->> 4)::bigint, (value ->> 5)::bigint, value ->> 6, (value ->> 7)::bigint,
    (value ->> 8)::bigint, (value ->> 9)::bigint, value ->> 10, (value ->> 11)::bigint
FROM jsonb_array_elements($1::jsonb) AS new(value)
