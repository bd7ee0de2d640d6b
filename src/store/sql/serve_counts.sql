-- $1: queue; $2: the first hour; $3: the first that is no longer asked for.
SELECT rep_key, band, tally, CAST(sum(count) AS BIGINT) FROM serve_count
WHERE queue_key = $1 AND hour >= $2 AND hour < $3
GROUP BY rep_key, band, tally
ORDER BY rep_key, band, tally
