INSERT OR FAIL INTO ledger (event_key, lead_id, seq, previous, at_ms, kind, actor, from_standing,
    to_standing, rule_version, detail)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6,
    value ->> 7, value ->> 8, value ->> 9, value ->> 10
FROM jsonb_each($1)
