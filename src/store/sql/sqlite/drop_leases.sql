-- Each row names the lease that it expects to find.
DELETE FROM lease
WHERE (lead_id, token) IN (SELECT value ->> 0, value ->> 1 FROM jsonb_each($1))
