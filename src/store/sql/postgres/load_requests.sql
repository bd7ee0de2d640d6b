-- $1: pairs of caller and request id. What they were answered.
SELECT coalesce(json_agg(json_build_array(
    r.caller, r.request_id, r.body_hash, r.answer::json, r.at_ms
)), '[]')::text
FROM jsonb_array_elements($1::jsonb) AS asked(value)
JOIN request r ON r.caller = asked.value ->> 0 AND r.request_id = asked.value ->> 1
