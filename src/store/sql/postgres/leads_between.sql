-- $1: after this lead; $2: up to this one; $3: queue or NULL; $4: campaign or NULL; $5: changed at
-- this instant or later, or NULL. Looks at the leads between alone, whatever else is asked for.
(ARRAY(
    SELECT lead_id FROM standing
    WHERE lead_id > $1 AND lead_id <= $2
        AND ($3 IS NULL OR queue_key = $3) AND ($4 IS NULL OR campaign_key = $4)
        AND ($5 IS NULL OR changed_at_ms >= $5)
))
