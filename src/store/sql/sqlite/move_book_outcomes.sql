-- Adds to the count and the sum of each book, result and currency.
INSERT INTO book_outcome (queue_key, campaign_key, source, result, currency, outcome_count,
    amount_minor)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6
FROM jsonb_each($1)
WHERE true
ON CONFLICT (queue_key, campaign_key, source, result, currency) DO UPDATE SET
    outcome_count = book_outcome.outcome_count + excluded.outcome_count,
    amount_minor = book_outcome.amount_minor + excluded.amount_minor
