-- $1: pairs of source system and engagement id. What is needed to answer them again.
SELECT json_group_array(json_array(
    g.source_system, g.engagement_id, g.body_hash, g.lead_id, g.woke
))
FROM jsonb_each($1) AS asked
CROSS JOIN engagement g
    ON g.engagement_id = asked.value ->> 1 AND g.source_system = asked.value ->> 0
