-- Each row: kind, value, and the hash that takes its place. One that is a hash already is not found.
UPDATE OR REPLACE suppression SET value = new.value ->> 2, is_hashed = 1
FROM jsonb_each($1) AS new
WHERE suppression.kind = new.value ->> 0 AND suppression.value = new.value ->> 1
