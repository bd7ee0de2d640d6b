-- $1: queue or NULL; $2: campaign or NULL. What the books' leads became, by result and currency.
SELECT queue_key, campaign_key, source, result, currency, outcome_count, amount_minor
FROM book_outcome
WHERE ($1 IS NULL OR queue_key = $1) AND ($2 IS NULL OR campaign_key = $2)
ORDER BY queue_key, campaign_key, source, result DESC, currency
