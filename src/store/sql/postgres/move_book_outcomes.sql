-- Adds to the count and the sum of each book, result and currency.
INSERT INTO book_outcome (queue_key, campaign_key, source, result, currency, outcome_count,
    amount_minor)
SELECT (value ->> 0)::bigint, (value ->> 1)::bigint, value ->> 2, value ->> 3, value ->> 4,
    (value ->> 5)::bigint, (value ->> 6)::bigint
FROM jsonb_array_elements($1::jsonb) AS new(value)
ON CONFLICT (queue_key, campaign_key, source, result, currency) DO UPDATE SET
    outcome_count = book_outcome.outcome_count + excluded.outcome_count,
    amount_minor = book_outcome.amount_minor + excluded.amount_minor
