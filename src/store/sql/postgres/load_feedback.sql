-- $1: pairs of rep and touch id. The feedback on these touches, whoever recorded them.
SELECT coalesce(json_agg(json_build_array(
    f.rep_key, f.touch_id, f.caller, f.rating, f.reason
)), '[]')::text
FROM jsonb_array_elements($1::jsonb) AS asked(value)
JOIN feedback f ON f.touch_id = asked.value ->> 1 AND f.rep_key = (asked.value ->> 0)::bigint
