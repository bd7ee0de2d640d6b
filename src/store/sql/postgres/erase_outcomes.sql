-- $1: leads. The outcomes stay, as facts that count; their ids go, as they may tell whose they are.
UPDATE outcome SET source_system = '', outcome_id = NULL, body_hash = ''
WHERE lead_id = ANY (ARRAY(SELECT value::bigint FROM jsonb_array_elements_text($1::jsonb)))
