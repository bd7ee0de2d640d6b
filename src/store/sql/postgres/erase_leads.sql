-- $1: leads. Their facts are gone already.
UPDATE lead SET source_system = '', external_id = '', predecessor = NULL
WHERE lead_id = ANY (ARRAY(SELECT value::bigint FROM jsonb_array_elements_text($1::jsonb)))
