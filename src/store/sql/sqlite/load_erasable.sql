-- $1: leads. For each, the numbers that were dialled for it and the keys of its handovers.
SELECT json_array(
    (SELECT json_group_array(json_array(asked.value, t.number)) FROM json_each($1) AS asked
     CROSS JOIN touch t ON t.lead_id = asked.value AND t.number IS NOT NULL),
    (SELECT json_group_array(json_array(
        asked.value, h.source_system, h.external_id, h.campaign_key)) FROM json_each($1) AS asked
     CROSS JOIN handover h ON h.lead_id = asked.value)
)
