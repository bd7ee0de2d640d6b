-- $1: leads. Their facts are gone already.
UPDATE lead SET source_system = '', external_id = '', predecessor = NULL
WHERE lead_id IN (SELECT value FROM json_each($1))
