-- Each row: a number, and the hash that takes its place.
UPDATE dial SET number = new.value ->> 1 FROM jsonb_array_elements($1::jsonb) AS new(value)
WHERE dial.number = new.value ->> 0
