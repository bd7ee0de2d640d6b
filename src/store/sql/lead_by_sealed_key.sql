-- $1: the key's hash; $2: campaign. The lead is erased.
SELECT h.lead_id FROM handover h JOIN campaign c ON c.campaign_key = h.campaign_key
WHERE h.external_id = $1 AND h.source_system = '' AND c.campaign_id = $2
