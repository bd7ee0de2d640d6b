SELECT h.lead_id FROM handover h JOIN campaign c ON c.campaign_key = h.campaign_key
WHERE h.external_id = $2 AND h.source_system = $1 AND c.campaign_id = $3
