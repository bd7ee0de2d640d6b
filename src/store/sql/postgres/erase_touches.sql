-- $1: leads. The touches stay, as facts that count; a body's hash would tell the number.
UPDATE touch SET number = NULL, notes = '', body_hash = ''
WHERE lead_id = ANY (ARRAY(SELECT value::bigint FROM jsonb_array_elements_text($1::jsonb)))
