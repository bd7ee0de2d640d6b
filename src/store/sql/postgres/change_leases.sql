-- Each row names the lease that it expects to find.
UPDATE lease SET holder_key = (new.value ->> 2)::bigint,
    expires_at_ms = (new.value ->> 3)::bigint, held_until_ms = (new.value ->> 4)::bigint,
    dialable = new.value ->> 5
FROM jsonb_array_elements($1::jsonb) AS new(value)
WHERE lease.lead_id = (new.value ->> 0)::bigint AND lease.token = new.value ->> 1
