-- $1: pairs of caller and touch id. What is needed to answer them again.
SELECT json_group_array(json_array(
    t.caller, t.touch_id, t.body_hash, t.lead_id, t.late, t.suppressed_count,
    t.next_lead_id, t.next_token, (SELECT count(*) FROM feedback f
        WHERE f.touch_id = t.touch_id AND f.caller = t.caller AND f.rating IS NULL)
))
FROM jsonb_each($1) AS asked
CROSS JOIN touch t ON t.touch_id = asked.value ->> 1 AND t.caller = asked.value ->> 0
