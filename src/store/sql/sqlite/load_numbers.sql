-- $1: numbers; $2: e-mail addresses, folded; $3, $4: the hashes of both, if anything was ever erased.
-- Who holds the numbers, and what is suppressed: in clear, and as a hash.
SELECT json_array(
    (SELECT json_group_array(json_array(number, lead_id)) FROM held_number
     WHERE number IN (SELECT value FROM json_each($1))),
    (SELECT json_group_array(value) FROM suppression
     WHERE kind = 'number' AND value IN (SELECT value FROM json_each($1))),
    (SELECT json_group_array(value) FROM suppression
     WHERE kind = 'email' AND value IN (SELECT value FROM json_each($2))),
    (SELECT json_group_array(value) FROM suppression
     WHERE kind = 'number' AND value IN (SELECT value FROM json_each($3))),
    (SELECT json_group_array(value) FROM suppression
     WHERE kind = 'email' AND value IN (SELECT value FROM json_each($4)))
)
