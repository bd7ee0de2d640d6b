INSERT INTO serve_count AS counted (queue_key, hour, rep_key, band, tally, count)
SELECT (value ->> 0)::bigint, (value ->> 1)::bigint, (value ->> 2)::bigint,
    (value ->> 3)::bigint, value ->> 4, (value ->> 5)::bigint
FROM jsonb_array_elements($1::jsonb) AS new(value)
ON CONFLICT (queue_key, hour, rep_key, band, tally)
    DO UPDATE SET count = counted.count + excluded.count
