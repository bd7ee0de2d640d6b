-- The same, counted again from the outcomes.
SELECT queue_key, campaign_key, source, result, currency, count(*),
    CAST(coalesce(sum(amount_minor), 0) AS BIGINT)
FROM outcome
GROUP BY queue_key, campaign_key, source, result, currency
ORDER BY queue_key, campaign_key, source, result DESC, currency
