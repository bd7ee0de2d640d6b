-- $1: lease tokens. A late touch has told what became of them.
DELETE FROM dial WHERE token IS NOT NULL AND token IN (SELECT value FROM json_each($1))
