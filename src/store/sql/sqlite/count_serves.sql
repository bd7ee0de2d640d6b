INSERT OR FAIL INTO serve_count (queue_key, hour, rep_key, band, tally, count)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5
FROM jsonb_each($1)
WHERE true
ON CONFLICT (queue_key, hour, rep_key, band, tally) DO UPDATE SET count = count + excluded.count
