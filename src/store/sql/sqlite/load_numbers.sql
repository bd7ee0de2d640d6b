-- $1: numbers; $2: e-mail addresses, folded; $3, $4: the hashes of both, if anything was ever erased.
-- $5: the numbers that a cap counts for, and their hashes; $6: since when. Who holds the numbers, and what
-- is suppressed and until when: in clear, and as a hash; when what is capped was dialled.
SELECT json_array(
    (SELECT json_group_array(json_array(number, lead_id)) FROM held_number
     WHERE number IN (SELECT value FROM json_each($1))),
    (SELECT json_group_array(json_array(value, until_ms)) FROM suppression
     WHERE kind = 'number' AND value IN (SELECT value FROM json_each($1))),
    (SELECT json_group_array(json_array(value, until_ms)) FROM suppression
     WHERE kind = 'email' AND value IN (SELECT value FROM json_each($2))),
    (SELECT json_group_array(json_array(value, until_ms)) FROM suppression
     WHERE kind = 'number' AND value IN (SELECT value FROM json_each($3))),
    (SELECT json_group_array(json_array(value, until_ms)) FROM suppression
     WHERE kind = 'email' AND value IN (SELECT value FROM json_each($4))),
    (SELECT json_group_array(json_array(number, at_ms, token)) FROM dial
     WHERE number IN (SELECT value FROM json_each($5)) AND at_ms > $6)
)
