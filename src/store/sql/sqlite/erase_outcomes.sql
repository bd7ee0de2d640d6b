-- $1: leads. The outcomes stay, as facts that count; their ids go, as they may tell whose they are.
UPDATE outcome SET source_system = '', outcome_id = NULL, body_hash = ''
WHERE lead_id IN (SELECT value FROM json_each($1))
