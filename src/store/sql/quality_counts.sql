-- $1: queue; $2: from; $3: before. Feedback on touches of a period: by rep, campaign, source, whether it
-- was asked for, and what it says.
SELECT rep_key, campaign_key, source, CAST(CASE WHEN mode > 0 THEN 1 ELSE 0 END AS BIGINT), rating,
    reason, count(*)
FROM feedback
WHERE queue_key = $1 AND touched_at_ms >= $2 AND touched_at_ms < $3
GROUP BY 1, 2, 3, 4, 5, 6
ORDER BY 1, 2, 3, 4, 5, 6
