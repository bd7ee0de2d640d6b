-- $1: leads. Passes last minutes, so there are few.
DELETE FROM pass WHERE lead_id = ANY (ARRAY(SELECT value::bigint FROM jsonb_array_elements_text($1::jsonb)))
