INSERT INTO ledger (event_key, lead_id, seq, previous, at_ms, kind, actor, from_standing,
    to_standing, rule_version, detail)
SELECT (value ->> 0)::bigint, (value ->> 1)::bigint, (value ->> 2)::bigint,
    (value ->> 3)::bigint, (value ->> 4)::bigint, value ->> 5, value ->> 6, value ->> 7,
    value ->> 8, (value ->> 9)::bigint, value ->> 10
FROM jsonb_array_elements($1::jsonb) AS new(value)
