-- Each row names the version that it expects to find. What stays open goes by serve_standings.sql or
-- touch_standings.sql.
UPDATE OR FAIL standing SET
    state = new.value ->> 2, standing = new.value ->> 3, route = new.value ->> 4,
    tier = new.value ->> 5, seq = new.value ->> 6, changed_at_ms = new.value ->> 7,
    ready_since_ms = new.value ->> 8, attempts = new.value ->> 9,
    last_disposition = new.value ->> 10, first_touched_ms = new.value ->> 11,
    times_released = new.value ->> 12, due_ms = new.value ->> 13,
    last_event = new.value ->> 14, cadence = new.value ->> 15, owner_key = new.value ->> 16,
    callback_ms = new.value ->> 17, promised_key = new.value ->> 18
FROM jsonb_each($1) AS new
WHERE standing.lead_id = new.value ->> 0 AND standing.seq = new.value ->> 1
