-- $1: leads. Passes last minutes, so there are few.
DELETE FROM pass WHERE lead_id IN (SELECT value FROM json_each($1))
