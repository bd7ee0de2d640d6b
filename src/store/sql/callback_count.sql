-- $1: rep; $2: a lead that does not count. A queue's limit keeps them few.
SELECT count(*) FROM standing WHERE promised_key = $1 AND lead_id <> $2
