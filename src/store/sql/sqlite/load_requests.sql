-- $1: pairs of caller and request id. What they were answered.
SELECT json_group_array(json_array(r.caller, r.request_id, r.body_hash, json(r.answer), r.at_ms))
FROM jsonb_each($1) AS asked
CROSS JOIN request r ON r.caller = asked.value ->> 0 AND r.request_id = asked.value ->> 1
