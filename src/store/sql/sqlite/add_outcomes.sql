INSERT OR FAIL INTO outcome (source_system, outcome_id, body_hash, lead_id, queue_key, campaign_key,
    source, result, amount_minor, currency, decided_at_ms, closed, recorded_at_ms)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6,
    value ->> 7, value ->> 8, value ->> 9, value ->> 10, value ->> 11, value ->> 12
FROM jsonb_each($1)
