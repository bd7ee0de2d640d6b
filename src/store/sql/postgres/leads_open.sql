-- $1: queue; $2: after this lead; $3: at most so many.
(ARRAY(
    SELECT lead_id FROM standing
    WHERE queue_key = $1 AND lead_id > $2 AND (route IS NULL OR route = 2)
        AND (state < 3 OR due_ms IS NOT NULL)
    ORDER BY lead_id LIMIT $3
))
