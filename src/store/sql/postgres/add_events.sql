INSERT INTO ledger (lead_id, seq, at_ms, kind, actor, from_standing, to_standing, rule_version,
    detail)
SELECT (value ->> 0)::bigint, (value ->> 1)::bigint, (value ->> 2)::bigint, value ->> 3,
    value ->> 4, value ->> 5, value ->> 6, (value ->> 7)::bigint, value ->> 8
FROM jsonb_array_elements($1::jsonb) AS new(value)
