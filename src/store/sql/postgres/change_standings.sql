-- Each row names the version that it expects to find.
UPDATE standing SET
    state = (new.value ->> 2)::bigint, standing = new.value ->> 3,
    route = (new.value ->> 4)::bigint, tier = (new.value ->> 5)::bigint,
    seq = (new.value ->> 6)::bigint, changed_at_ms = (new.value ->> 7)::bigint,
    ready_since_ms = (new.value ->> 8)::bigint, attempts = (new.value ->> 9)::bigint,
    last_disposition = new.value ->> 10, first_touched_ms = (new.value ->> 11)::bigint,
    times_released = (new.value ->> 12)::bigint, due_ms = (new.value ->> 13)::bigint,
    last_event = (new.value ->> 14)::bigint, cadence = (new.value ->> 15)::bigint,
    owner_key = (new.value ->> 16)::bigint, callback_ms = (new.value ->> 17)::bigint,
    promised_key = (new.value ->> 18)::bigint
FROM jsonb_array_elements($1::jsonb) AS new(value)
WHERE standing.lead_id = (new.value ->> 0)::bigint
    AND standing.seq = (new.value ->> 1)::bigint
