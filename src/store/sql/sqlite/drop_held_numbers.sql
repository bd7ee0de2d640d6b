DELETE FROM held_number WHERE lead_id IN (SELECT value FROM json_each($1))
