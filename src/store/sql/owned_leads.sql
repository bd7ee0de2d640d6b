-- $1: rep; $2: after this lead; $3: at most so many. Open leads that belong to the rep.
SELECT lead_id, queue_key, seq FROM standing
WHERE owner_key = $1 AND route IS NULL AND lead_id > $2 AND state < 3
ORDER BY lead_id LIMIT $3
