-- $1: a lead. The first one after it that stands anywhere or has an event; NULL after the last.
SELECT min(lead_id) FROM (
    SELECT min(lead_id) AS lead_id FROM standing WHERE lead_id > $1
    UNION ALL
    SELECT min(lead_id) FROM ledger WHERE lead_id > $1
) AS leads
