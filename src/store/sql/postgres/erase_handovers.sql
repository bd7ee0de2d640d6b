-- Each row: source system, external id, campaign, and the hash that takes their place. The facts' hash
-- goes too: it would tell what they were.
UPDATE handover SET source_system = '', external_id = new.value ->> 3, facts_hash = ''
FROM jsonb_array_elements($1::jsonb) AS new(value)
WHERE handover.source_system = new.value ->> 0 AND handover.external_id = new.value ->> 1
    AND handover.campaign_key = (new.value ->> 2)::bigint
