-- $1: leads. Their count went with their facts, and the ledger knows what kinds there were.
DELETE FROM engagement WHERE lead_id IN (SELECT value FROM json_each($1))
