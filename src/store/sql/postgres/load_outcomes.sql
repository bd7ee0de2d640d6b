-- $1: pairs of source system and outcome id. What is needed to answer them again.
SELECT coalesce(json_agg(json_build_array(
    o.source_system, o.outcome_id, o.body_hash, o.lead_id, o.closed
)), '[]')::text
FROM jsonb_array_elements($1::jsonb) AS asked(value)
JOIN outcome o
    ON o.outcome_id = asked.value ->> 1 AND o.source_system = asked.value ->> 0
