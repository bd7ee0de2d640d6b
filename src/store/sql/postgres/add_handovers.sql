INSERT INTO handover (source_system, external_id, campaign_key, queue_key, source, lead_id,
    is_merged, facts_hash, handed_over_at_ms)
SELECT value ->> 0, value ->> 1, (value ->> 2)::bigint, (value ->> 3)::bigint, value ->> 4,
    (value ->> 5)::bigint, (value ->> 6)::bigint, value ->> 7, (value ->> 8)::bigint
FROM jsonb_array_elements($1::jsonb) AS new(value)
