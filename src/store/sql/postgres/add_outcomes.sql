INSERT INTO outcome (source_system, outcome_id, body_hash, lead_id, queue_key, campaign_key,
    source, result, amount_minor, currency, decided_at_ms, closed, recorded_at_ms)
SELECT value ->> 0, value ->> 1, value ->> 2, (value ->> 3)::bigint, (value ->> 4)::bigint,
    (value ->> 5)::bigint, value ->> 6, value ->> 7, (value ->> 8)::bigint, value ->> 9,
    (value ->> 10)::bigint, (value ->> 11)::bigint, (value ->> 12)::bigint
FROM jsonb_array_elements($1::jsonb) AS new(value)
