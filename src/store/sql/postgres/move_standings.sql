-- Written after where the leads stand, by the number of their last events.
UPDATE standing SET queue_key = (new.value ->> 2)::bigint, entered_ms = (new.value ->> 3)::bigint,
    transfers = (new.value ->> 4)::bigint
FROM jsonb_array_elements($1::jsonb) AS new(value)
WHERE standing.lead_id = (new.value ->> 0)::bigint AND standing.seq = (new.value ->> 1)::bigint
