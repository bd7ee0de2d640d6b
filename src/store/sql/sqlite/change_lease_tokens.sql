-- $1: pairs of lead and new lease token.
UPDATE lease SET token = new.value ->> 1 FROM jsonb_each($1) AS new
WHERE lease.lead_id = new.value ->> 0
