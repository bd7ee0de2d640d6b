-- $1: pairs of queue and number, $2: pairs of queue and folded e-mail address; $3 and $4: at most so
-- many leads for one of them. Who carries them in that queue, the newest first; the last lead's id, and
-- the key of the last event of all.
SELECT json_build_array(
    (SELECT coalesce(json_agg(json_build_array(asked.value -> 0, asked.value -> 1, found.leads)), '[]')
     FROM jsonb_array_elements($1::jsonb) AS asked(value)
     CROSS JOIN LATERAL (SELECT ARRAY(
         SELECT n.lead_id FROM lead_number n
         WHERE n.number = asked.value ->> 1 AND n.queue_key = (asked.value ->> 0)::bigint
         ORDER BY n.lead_id DESC LIMIT $3
     ) AS leads OFFSET 0) AS found
     WHERE found.leads <> '{}'),
    (SELECT coalesce(json_agg(json_build_array(asked.value -> 0, asked.value -> 1, found.leads)), '[]')
     FROM jsonb_array_elements($2::jsonb) AS asked(value)
     CROSS JOIN LATERAL (SELECT ARRAY(
         SELECT l.lead_id FROM lead l
         WHERE l.email_folded = asked.value ->> 1 AND l.queue_key = (asked.value ->> 0)::bigint
         ORDER BY l.lead_id DESC LIMIT $4
     ) AS leads OFFSET 0) AS found
     WHERE found.leads <> '{}'),
    greatest(
        (SELECT coalesce(max(lead_id), 0) FROM lead),
        (SELECT coalesce(max(lead_floor), 0) FROM restore)
    ),
    (SELECT coalesce(max(event_key), 0) FROM ledger)
)::text
