-- $1: rep; $2: after this lead; $3: at most so many. Leads that the rep promised to call, few.
SELECT lead_id, queue_key, seq FROM standing
WHERE promised_key = $1 AND lead_id > $2
ORDER BY lead_id LIMIT $3
