INSERT INTO pass (rep_key, lead_id, until_ms)
SELECT value ->> 0, value ->> 1, value ->> 2 FROM jsonb_each($1)
WHERE true
ON CONFLICT (rep_key, lead_id) DO UPDATE SET until_ms = max(until_ms, excluded.until_ms)
