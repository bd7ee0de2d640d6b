-- $1: lease tokens. A late touch has told what became of them.
DELETE FROM dial WHERE token = ANY (ARRAY(SELECT value FROM jsonb_array_elements_text($1::jsonb)))
