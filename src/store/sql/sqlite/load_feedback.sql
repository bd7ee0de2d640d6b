-- $1: pairs of rep and touch id. The feedback on these touches, whoever recorded them.
SELECT json_group_array(json_array(f.rep_key, f.touch_id, f.caller, f.rating, f.reason))
FROM jsonb_each($1) AS asked
CROSS JOIN feedback f ON f.touch_id = asked.value ->> 1 AND f.rep_key = asked.value ->> 0
