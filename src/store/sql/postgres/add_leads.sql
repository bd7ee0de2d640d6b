-- The facts are taken as they were written: parsing them would make other numbers of some.
INSERT INTO lead (lead_id, queue_key, campaign_key, source_system, external_id,
    handed_over_at_ms, first_touch_due_ms, predecessor, email_folded, facts)
SELECT (value ->> 0)::bigint, (value ->> 1)::bigint, (value ->> 2)::bigint, value ->> 3,
    value ->> 4, (value ->> 5)::bigint, (value ->> 6)::bigint, (value ->> 7)::bigint,
    value ->> 8, text ->> 9
FROM ROWS FROM (jsonb_array_elements($1::jsonb), json_array_elements($1::json)) AS new(value, text)
