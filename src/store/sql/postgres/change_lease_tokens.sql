-- $1: pairs of lead and new lease token.
UPDATE lease SET token = new.value ->> 1
FROM jsonb_array_elements($1::jsonb) AS new(value)
WHERE lease.lead_id = (new.value ->> 0)::bigint
