-- $1: reps. What each of them owes before they get another lead.
SELECT json_group_array(json_array(rep_key, touch_id, caller)) FROM feedback
WHERE rep_key IN (SELECT value FROM json_each($1)) AND rating IS NULL AND mode = 2
