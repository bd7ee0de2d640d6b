UPDATE feedback SET rating = (new.value ->> 2)::bigint, reason = new.value ->> 3,
    given_at_ms = (new.value ->> 4)::bigint
FROM jsonb_array_elements($1::jsonb) AS new(value)
WHERE feedback.touch_id = new.value ->> 0 AND feedback.caller = new.value ->> 1
    AND feedback.rating IS NULL
