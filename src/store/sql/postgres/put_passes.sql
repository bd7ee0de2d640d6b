INSERT INTO pass (rep_key, lead_id, until_ms)
SELECT (value ->> 0)::bigint, (value ->> 1)::bigint, (value ->> 2)::bigint
FROM jsonb_array_elements($1::jsonb) AS new(value)
ON CONFLICT (rep_key, lead_id) DO UPDATE SET until_ms = greatest(pass.until_ms, excluded.until_ms)
