INSERT INTO lead (lead_id, queue_key, campaign_key, source_system, external_id, handed_over_at_ms,
    first_touch_due_ms, predecessor, email_folded, facts)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6,
    value ->> 7, value ->> 8, value ->> 9
FROM jsonb_each($1)
