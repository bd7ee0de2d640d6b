-- $1: a lead. The first one after it that stands anywhere; NULL after the last.
SELECT min(lead_id) FROM standing WHERE lead_id > $1
