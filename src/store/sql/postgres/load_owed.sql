-- $1: reps. What each of them owes before they get another lead.
SELECT coalesce(json_agg(json_build_array(rep_key, touch_id, caller)), '[]')::text FROM feedback
WHERE rep_key = ANY (ARRAY(SELECT value::bigint FROM jsonb_array_elements_text($1::jsonb)))
    AND rating IS NULL AND mode = 2
