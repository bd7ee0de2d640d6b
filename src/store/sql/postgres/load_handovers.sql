-- $1: triples of source system, external id and campaign. Those that were taken in before.
SELECT coalesce(json_agg(json_build_array(
    h.source_system, h.external_id, h.campaign_key, h.queue_key, h.source, h.lead_id, h.is_merged,
    h.facts_hash, h.handed_over_at_ms
)), '[]')::text
FROM jsonb_array_elements($1::jsonb) AS asked(value)
JOIN handover h
    ON h.external_id = asked.value ->> 1
    AND h.source_system = asked.value ->> 0
    AND h.campaign_key = (asked.value ->> 2)::bigint
