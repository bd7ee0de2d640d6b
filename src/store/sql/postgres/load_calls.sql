-- $1: pairs of caller and request id; $2: pairs of caller and touch id; $3: lead ids; $4: reps, for the
-- leads that they have; $5: since when dials count. All that calls need to know as a rule, in one round
-- trip: what was answered before; the leads, as in leads_packed.sql; who holds their numbers, and what of
-- them is suppressed in clear, as in load_numbers.sql; the key of the last event of all; when the numbers
-- were dialled.
WITH
wanted AS MATERIALIZED (
    SELECT value::bigint AS lead_id FROM jsonb_array_elements_text($3::jsonb)
    UNION
    SELECT lead_id FROM lease WHERE holder_key = ANY (ARRAY(
        SELECT value::bigint FROM jsonb_array_elements_text($4::jsonb)
    ))
),
facts AS MATERIALIZED (
    SELECT l.* FROM lead l WHERE l.lead_id = ANY (ARRAY(SELECT lead_id FROM wanted))
),
numbers AS MATERIALIZED (
    SELECT DISTINCT number.value ->> 'n' AS number
    FROM facts, jsonb_array_elements(facts.facts::jsonb -> 'numbers') AS number(value)
),
leads AS (
    SELECT json_agg(json_build_array(
        s.lead_id, s.queue_key, s.campaign_key, l.source_system, l.external_id,
        l.handed_over_at_ms, l.first_touch_due_ms, l.predecessor,
        s.source, s.standing, s.tier, s.seq, s.changed_at_ms, s.ready_since_ms, s.attempts,
        s.last_disposition, s.first_touched_ms, s.times_released, s.due_ms, s.last_event,
        s.cadence, s.owner_key, s.callback_ms, s.promised_key, s.entered_ms, s.transfers,
        c.ends_at_ms, c.route_at_end, c.is_paused,
        e.rep_key, e.holder_key, e.token, e.serve_order, e.rule_version,
        e.granted_at_ms, e.expires_at_ms, e.held_until_ms, e.renewable_until_ms,
        e.dialable, e.points
    )) AS packed, string_agg(l.facts, ',') AS facts
    FROM facts l
    JOIN standing s ON s.lead_id = l.lead_id
    JOIN campaign c ON c.campaign_key = s.campaign_key
    LEFT JOIN lease e ON e.lead_id = s.lead_id
)
SELECT
    (SELECT coalesce(json_agg(json_build_array(
        r.caller, r.request_id, r.body_hash, r.answer::json, r.at_ms
    )), '[]')::text
    FROM jsonb_array_elements($1::jsonb) AS asked(value)
    JOIN request r ON r.caller = asked.value ->> 0 AND r.request_id = asked.value ->> 1),
    (SELECT coalesce(json_agg(json_build_array(
        t.caller, t.touch_id, t.body_hash, t.lead_id, t.late, t.suppressed_count,
        t.next_lead_id, t.next_token, (SELECT count(*) FROM feedback f
            WHERE f.touch_id = t.touch_id AND f.caller = t.caller AND f.rating IS NULL)
    )), '[]')::text
    FROM jsonb_array_elements($2::jsonb) AS asked(value)
    JOIN touch t ON t.touch_id = asked.value ->> 1 AND t.caller = asked.value ->> 0),
    coalesce(leads.packed, '[]')::text,
    '[' || coalesce(leads.facts, '') || ']',
    json_build_array(
        (SELECT coalesce(json_agg(json_build_array(number, lead_id)), '[]') FROM held_number
         WHERE number = ANY (ARRAY(SELECT number FROM numbers))),
        (SELECT coalesce(json_agg(json_build_array(value, until_ms)), '[]') FROM suppression
         WHERE kind = 'number' AND value = ANY (ARRAY(SELECT number FROM numbers))),
        (SELECT coalesce(json_agg(json_build_array(value, until_ms)), '[]') FROM suppression
         WHERE kind = 'email' AND value = ANY (ARRAY(SELECT email_folded FROM facts)))
    )::text,
    (SELECT coalesce(max(event_key), 0) FROM ledger),
    (SELECT coalesce(json_agg(json_build_array(number, at_ms, token)), '[]') FROM dial
     WHERE number = ANY (ARRAY(SELECT number FROM numbers)) AND at_ms > $5)::text
FROM leads
