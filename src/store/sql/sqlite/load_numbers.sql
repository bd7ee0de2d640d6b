-- $1: numbers; $2: e-mail addresses, folded. Who holds them, and which are suppressed.
SELECT json_array(
    (SELECT json_group_array(json_array(number, lead_id)) FROM held_number
     WHERE number IN (SELECT value FROM json_each($1))),
    (SELECT json_group_array(value) FROM suppression
     WHERE kind = 'number' AND value IN (SELECT value FROM json_each($1))),
    (SELECT json_group_array(value) FROM suppression
     WHERE kind = 'email' AND value IN (SELECT value FROM json_each($2)))
)
