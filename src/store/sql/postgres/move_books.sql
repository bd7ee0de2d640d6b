-- Adds to each counter; the last ledger instant only grows.
UPDATE book SET
    handed_over = handed_over + (new.value ->> 3)::bigint,
    ready = ready + (new.value ->> 4)::bigint,
    waiting = waiting + (new.value ->> 5)::bigint,
    leased = leased + (new.value ->> 6)::bigint,
    won = won + (new.value ->> 7)::bigint,
    lost = lost + (new.value ->> 8)::bigint,
    nurture = nurture + (new.value ->> 9)::bigint,
    suppressed = suppressed + (new.value ->> 10)::bigint,
    unreachable = unreachable + (new.value ->> 11)::bigint,
    superseded = superseded + (new.value ->> 12)::bigint,
    merged = merged + (new.value ->> 13)::bigint,
    touched = touched + (new.value ->> 14)::bigint,
    touched_in_time = touched_in_time + (new.value ->> 15)::bigint,
    first_touch_ms_sum = first_touch_ms_sum + (new.value ->> 16)::bigint,
    touches = touches + (new.value ->> 17)::bigint,
    last_ms = greatest(last_ms, (new.value ->> 18)::bigint),
    erased = erased + (new.value ->> 19)::bigint,
    transferred_in = transferred_in + (new.value ->> 20)::bigint,
    transferred_out = transferred_out + (new.value ->> 21)::bigint
FROM jsonb_array_elements($1::jsonb) AS new(value)
WHERE book.queue_key = (new.value ->> 0)::bigint AND book.campaign_key = (new.value ->> 1)::bigint
    AND book.source = new.value ->> 2
