-- $1: leads. Their count went with their facts, and the ledger knows what kinds there were.
DELETE FROM engagement
WHERE lead_id = ANY (ARRAY(SELECT value::bigint FROM jsonb_array_elements_text($1::jsonb)))
