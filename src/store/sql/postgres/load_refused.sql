-- $1: pairs of a handover key's hash and its campaign. Those whose lead was erased: they have no source
-- system any more.
SELECT coalesce(json_agg(json_build_array(h.external_id, h.campaign_key, h.lead_id)), '[]')::text
FROM jsonb_array_elements($1::jsonb) AS asked(value)
JOIN handover h
    ON h.external_id = asked.value ->> 0
    AND h.source_system = ''
    AND h.campaign_key = (asked.value ->> 1)::bigint
