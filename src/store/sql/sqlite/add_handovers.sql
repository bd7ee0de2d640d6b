INSERT INTO handover (source_system, external_id, campaign_key, queue_key, source, lead_id,
    is_merged, facts_hash, handed_over_at_ms)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6,
    value ->> 7, value ->> 8
FROM jsonb_each($1)
