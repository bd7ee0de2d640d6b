-- $1: leads. For each, the numbers that were dialled for it and the keys of its handovers.
WITH asked AS MATERIALIZED (
    SELECT value::bigint AS lead_id FROM jsonb_array_elements_text($1::jsonb)
)
SELECT json_build_array(
    (SELECT coalesce(json_agg(json_build_array(lead_id, number)), '[]')
     FROM asked JOIN touch USING (lead_id) WHERE number IS NOT NULL),
    (SELECT coalesce(json_agg(json_build_array(
        lead_id, source_system, external_id, campaign_key)), '[]')
     FROM asked JOIN handover USING (lead_id))
)::text
