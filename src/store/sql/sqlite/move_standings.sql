-- Written after where the leads stand, by the number of their last events.
UPDATE OR FAIL standing SET queue_key = new.value ->> 2, entered_ms = new.value ->> 3,
    transfers = new.value ->> 4
FROM jsonb_each($1) AS new
WHERE standing.lead_id = new.value ->> 0 AND standing.seq = new.value ->> 1
