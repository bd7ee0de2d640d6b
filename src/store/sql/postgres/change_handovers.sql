UPDATE handover SET facts_hash = new.value ->> 3
FROM jsonb_array_elements($1::jsonb) AS new(value)
WHERE handover.source_system = new.value ->> 0 AND handover.external_id = new.value ->> 1
    AND handover.campaign_key = (new.value ->> 2)::bigint
