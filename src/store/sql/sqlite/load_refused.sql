-- $1: pairs of a handover key's hash and its campaign. Those whose lead was erased: they have no source
-- system any more.
SELECT json_group_array(json_array(h.external_id, h.campaign_key, h.lead_id))
FROM jsonb_each($1) AS asked
CROSS JOIN handover h
    ON h.external_id = asked.value ->> 0
    AND h.source_system = ''
    AND h.campaign_key = asked.value ->> 1
