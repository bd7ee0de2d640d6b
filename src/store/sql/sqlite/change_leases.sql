-- Each row names the lease that it expects to find.
UPDATE OR FAIL lease SET holder_key = new.value ->> 2, expires_at_ms = new.value ->> 3,
    held_until_ms = new.value ->> 4, dialable = new.value ->> 5
FROM jsonb_each($1) AS new
WHERE lease.lead_id = new.value ->> 0 AND lease.token = new.value ->> 1
