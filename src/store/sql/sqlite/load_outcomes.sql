-- $1: pairs of source system and outcome id. What is needed to answer them again.
SELECT json_group_array(json_array(
    o.source_system, o.outcome_id, o.body_hash, o.lead_id, o.closed
))
FROM jsonb_each($1) AS asked
CROSS JOIN outcome o
    ON o.outcome_id = asked.value ->> 1 AND o.source_system = asked.value ->> 0
