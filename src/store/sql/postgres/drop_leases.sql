-- Each row names the lease that it expects to find.
DELETE FROM lease USING jsonb_array_elements($1::jsonb) AS new(value)
WHERE lease.lead_id = (new.value ->> 0)::bigint AND lease.token = new.value ->> 1
