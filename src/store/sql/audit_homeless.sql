-- $1: at most so many. Leads that have events and stand nowhere. Reads the whole ledger, so it is asked
-- only when something is known to be wrong.
SELECT DISTINCT lead_id FROM ledger e
WHERE NOT EXISTS (SELECT 1 FROM standing s WHERE s.lead_id = e.lead_id)
ORDER BY lead_id LIMIT $1
