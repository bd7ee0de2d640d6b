UPDATE feedback SET rating = new.value ->> 2, reason = new.value ->> 3, given_at_ms = new.value ->> 4
FROM jsonb_each($1) AS new
WHERE feedback.touch_id = new.value ->> 0 AND feedback.caller = new.value ->> 1
    AND feedback.rating IS NULL
