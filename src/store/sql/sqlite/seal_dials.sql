-- Each row: a number, and the hash that takes its place.
UPDATE dial SET number = new.value ->> 1 FROM jsonb_each($1) AS new
WHERE dial.number = new.value ->> 0
