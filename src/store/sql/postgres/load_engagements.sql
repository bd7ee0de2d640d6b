-- $1: pairs of source system and engagement id. What is needed to answer them again.
SELECT coalesce(json_agg(json_build_array(
    g.source_system, g.engagement_id, g.body_hash, g.lead_id, g.woke
)), '[]')::text
FROM jsonb_array_elements($1::jsonb) AS asked(value)
JOIN engagement g
    ON g.engagement_id = asked.value ->> 1 AND g.source_system = asked.value ->> 0
