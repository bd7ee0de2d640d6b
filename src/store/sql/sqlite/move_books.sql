-- Adds to each counter; the last ledger instant only grows.
UPDATE OR FAIL book SET
    handed_over = handed_over + (new.value ->> 3), ready = ready + (new.value ->> 4),
    waiting = waiting + (new.value ->> 5), leased = leased + (new.value ->> 6),
    won = won + (new.value ->> 7), lost = lost + (new.value ->> 8),
    nurture = nurture + (new.value ->> 9), suppressed = suppressed + (new.value ->> 10),
    unreachable = unreachable + (new.value ->> 11), superseded = superseded + (new.value ->> 12),
    merged = merged + (new.value ->> 13), touched = touched + (new.value ->> 14),
    touched_in_time = touched_in_time + (new.value ->> 15),
    first_touch_ms_sum = first_touch_ms_sum + (new.value ->> 16),
    touches = touches + (new.value ->> 17), last_ms = max(last_ms, new.value ->> 18),
    erased = erased + (new.value ->> 19),
    transferred_in = transferred_in + (new.value ->> 20),
    transferred_out = transferred_out + (new.value ->> 21)
FROM jsonb_each($1) AS new
WHERE book.queue_key = new.value ->> 0 AND book.campaign_key = new.value ->> 1
    AND book.source = new.value ->> 2
