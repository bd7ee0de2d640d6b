INSERT OR FAIL INTO engagement (source_system, engagement_id, body_hash, lead_id, kind, engaged_at_ms, wakes,
    woke, recorded_at_ms)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6,
    value ->> 7, value ->> 8
FROM jsonb_each($1)
