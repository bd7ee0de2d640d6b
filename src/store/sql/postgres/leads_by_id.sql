-- $1: lead ids; $2: reps, for the leads that they have.
(ARRAY(
    SELECT value::bigint FROM jsonb_array_elements_text($1::jsonb)
    UNION
    SELECT lead_id FROM lease WHERE holder_key = ANY (ARRAY(
        SELECT value::bigint FROM jsonb_array_elements_text($2::jsonb)
    ))
))
