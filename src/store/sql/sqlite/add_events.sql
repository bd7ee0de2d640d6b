INSERT OR FAIL INTO ledger (lead_id, seq, at_ms, kind, actor, from_standing, to_standing, rule_version,
    detail)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6,
    value ->> 7, value ->> 8
FROM jsonb_each($1)
