-- $1: rep; $2: a lead that does not count; $3: no more are counted.
SELECT count(*) FROM (
    SELECT 1 FROM standing WHERE promised_key = $1 AND lead_id <> $2 LIMIT $3
) AS promised
