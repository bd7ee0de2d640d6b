-- $1: pairs of queue and number, $2: pairs of queue and folded e-mail address; $3 and $4: at most so
-- many leads for one of them. Who carries them in that queue, the newest first; the last lead's id, and
-- the key of the last event of all.
WITH
numbers AS MATERIALIZED (
    SELECT asked.value ->> 0 AS queue_key, asked.value ->> 1 AS number, (
        SELECT json_group_array(lead_id) FROM (
            SELECT n.lead_id FROM lead_number n
            WHERE n.number = asked.value ->> 1 AND n.queue_key = asked.value ->> 0
            ORDER BY n.lead_id DESC LIMIT $3
        )
    ) AS leads
    FROM jsonb_each($1) AS asked
),
emails AS MATERIALIZED (
    SELECT asked.value ->> 0 AS queue_key, asked.value ->> 1 AS email, (
        SELECT json_group_array(lead_id) FROM (
            SELECT l.lead_id FROM lead l
            WHERE l.email_folded = asked.value ->> 1 AND l.queue_key = asked.value ->> 0
            ORDER BY l.lead_id DESC LIMIT $4
        )
    ) AS leads
    FROM jsonb_each($2) AS asked
)
SELECT json_array(
    (SELECT json_group_array(json_array(queue_key, number, json(leads))) FROM numbers
     WHERE leads <> '[]'),
    (SELECT json_group_array(json_array(queue_key, email, json(leads))) FROM emails
     WHERE leads <> '[]'),
    max(
        (SELECT coalesce(max(lead_id), 0) FROM lead),
        (SELECT coalesce(max(lead_floor), 0) FROM restore)
    ),
    (SELECT coalesce(max(event_key), 0) FROM ledger)
)
