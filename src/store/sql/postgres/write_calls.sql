-- What a batch of calls writes, in one round trip: the statements of the same names, whose rows stand in
-- the same order in the parameters. What is given comes after what is taken away, as a rep who goes on
-- to the next lead has one at a time; references are checked at the end. Says how many rows of each kind
-- were written.
WITH
standings AS (
    UPDATE standing SET
        state = (new.value ->> 2)::bigint, standing = new.value ->> 3,
        route = (new.value ->> 4)::bigint, tier = (new.value ->> 5)::bigint,
        seq = (new.value ->> 6)::bigint, changed_at_ms = (new.value ->> 7)::bigint,
        ready_since_ms = (new.value ->> 8)::bigint, attempts = (new.value ->> 9)::bigint,
        last_disposition = new.value ->> 10, first_touched_ms = (new.value ->> 11)::bigint,
        times_released = (new.value ->> 12)::bigint, due_ms = (new.value ->> 13)::bigint,
        last_event = (new.value ->> 14)::bigint, cadence = (new.value ->> 15)::bigint,
        owner_key = (new.value ->> 16)::bigint, callback_ms = (new.value ->> 17)::bigint,
        promised_key = (new.value ->> 18)::bigint
    FROM jsonb_array_elements($1::jsonb) AS new(value)
    WHERE standing.lead_id = (new.value ->> 0)::bigint
        AND standing.seq = (new.value ->> 1)::bigint
    RETURNING 1
),
events AS (
    INSERT INTO ledger (event_key, lead_id, seq, previous, at_ms, kind, actor, from_standing,
        to_standing, rule_version, detail)
    SELECT (value ->> 0)::bigint, (value ->> 1)::bigint, (value ->> 2)::bigint,
        (value ->> 3)::bigint, (value ->> 4)::bigint, value ->> 5, value ->> 6, value ->> 7,
        value ->> 8, (value ->> 9)::bigint, value ->> 10
    FROM jsonb_array_elements($2::jsonb) AS new(value)
    RETURNING 1
),
freed AS (
    DELETE FROM held_number WHERE lead_id = ANY (ARRAY(SELECT value::bigint FROM jsonb_array_elements_text($3::jsonb)))
    RETURNING 1
),
ended AS (
    DELETE FROM lease USING jsonb_array_elements($4::jsonb) AS new(value)
    WHERE lease.lead_id = (new.value ->> 0)::bigint AND lease.token = new.value ->> 1
    RETURNING 1
),
carried AS (
    UPDATE lease SET holder_key = (new.value ->> 2)::bigint,
        expires_at_ms = (new.value ->> 3)::bigint, held_until_ms = (new.value ->> 4)::bigint,
        dialable = new.value ->> 5
    FROM jsonb_array_elements($5::jsonb) AS new(value)
    WHERE lease.lead_id = (new.value ->> 0)::bigint AND lease.token = new.value ->> 1
    RETURNING 1
),
given AS (
    INSERT INTO lease (lead_id, queue_key, rep_key, holder_key, token, serve_order, rule_version,
        granted_at_ms, expires_at_ms, held_until_ms, renewable_until_ms, dialable, points)
    SELECT (value ->> 0)::bigint, (value ->> 1)::bigint, (value ->> 2)::bigint,
        (value ->> 3)::bigint, value ->> 4, value ->> 5, (value ->> 6)::bigint,
        (value ->> 7)::bigint, (value ->> 8)::bigint, (value ->> 9)::bigint, (value ->> 10)::bigint,
        value ->> 11, (value ->> 12)::bigint
    FROM jsonb_array_elements($6::jsonb) AS new(value)
    WHERE (SELECT count(*) FROM ended) + (SELECT count(*) FROM carried) >= 0
    ON CONFLICT DO NOTHING
    RETURNING 1
),
held AS (
    INSERT INTO held_number (number, lead_id)
    SELECT value ->> 0, (value ->> 1)::bigint
    FROM jsonb_array_elements($7::jsonb) AS new(value)
    WHERE (SELECT count(*) FROM freed) >= 0
    ON CONFLICT DO NOTHING
    RETURNING 1
),
touches AS (
    INSERT INTO touch (caller, touch_id, body_hash, lead_id, rep_key, token, channel, direction,
        number, started_at_ms, ended_at_ms, disposition, callback_at_ms, notes, late, recorded_at_ms,
        suppressed_count, next_lead_id, next_token, queue_key)
    SELECT value ->> 0, value ->> 1, value ->> 2, (value ->> 3)::bigint, (value ->> 4)::bigint,
        value ->> 5, value ->> 6, value ->> 7, value ->> 8, (value ->> 9)::bigint,
        (value ->> 10)::bigint, value ->> 11, (value ->> 12)::bigint, value ->> 13,
        (value ->> 14)::bigint, (value ->> 15)::bigint, (value ->> 16)::bigint,
        (value ->> 17)::bigint, value ->> 18, (value ->> 19)::bigint
    FROM jsonb_array_elements($8::jsonb) AS new(value)
    RETURNING 1
),
requests AS (
    INSERT INTO request (caller, request_id, body_hash, answer, at_ms)
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, (value ->> 4)::bigint
    FROM jsonb_array_elements($9::jsonb) AS new(value)
    RETURNING 1
),
passes AS (
    INSERT INTO pass (rep_key, lead_id, until_ms)
    SELECT (value ->> 0)::bigint, (value ->> 1)::bigint, (value ->> 2)::bigint
    FROM jsonb_array_elements($10::jsonb) AS new(value)
    ON CONFLICT (rep_key, lead_id) DO UPDATE SET until_ms = greatest(pass.until_ms, excluded.until_ms)
    RETURNING 1
),
books AS (
    UPDATE book SET
        handed_over = handed_over + (new.value ->> 3)::bigint,
        ready = ready + (new.value ->> 4)::bigint,
        waiting = waiting + (new.value ->> 5)::bigint,
        leased = leased + (new.value ->> 6)::bigint,
        won = won + (new.value ->> 7)::bigint,
        lost = lost + (new.value ->> 8)::bigint,
        nurture = nurture + (new.value ->> 9)::bigint,
        suppressed = suppressed + (new.value ->> 10)::bigint,
        unreachable = unreachable + (new.value ->> 11)::bigint,
        superseded = superseded + (new.value ->> 12)::bigint,
        merged = merged + (new.value ->> 13)::bigint,
        touched = touched + (new.value ->> 14)::bigint,
        touched_in_time = touched_in_time + (new.value ->> 15)::bigint,
        first_touch_ms_sum = first_touch_ms_sum + (new.value ->> 16)::bigint,
        touches = touches + (new.value ->> 17)::bigint,
        last_ms = greatest(last_ms, (new.value ->> 18)::bigint),
        erased = erased + (new.value ->> 19)::bigint,
        transferred_in = transferred_in + (new.value ->> 20)::bigint,
        transferred_out = transferred_out + (new.value ->> 21)::bigint
    FROM jsonb_array_elements($11::jsonb) AS new(value)
    WHERE book.queue_key = (new.value ->> 0)::bigint AND book.campaign_key = (new.value ->> 1)::bigint
        AND book.source = new.value ->> 2
    RETURNING 1
),
told AS (
    DELETE FROM dial WHERE token = ANY (ARRAY(SELECT value FROM jsonb_array_elements_text($12::jsonb)))
    RETURNING 1
),
dials AS (
    INSERT INTO dial (number, at_ms, lead_id, token)
    SELECT value ->> 0, (value ->> 1)::bigint, (value ->> 2)::bigint, value ->> 3
    FROM jsonb_array_elements($13::jsonb) AS new(value)
    RETURNING 1
),
skips AS (
    INSERT INTO skip (token, rep_key, at_ms)
    SELECT value ->> 0, (value ->> 1)::bigint, (value ->> 2)::bigint
    FROM jsonb_array_elements($14::jsonb) AS new(value)
    RETURNING 1
),
serves AS (
    INSERT INTO serve_count AS counted (queue_key, hour, rep_key, band, tally, count)
    SELECT (value ->> 0)::bigint, (value ->> 1)::bigint, (value ->> 2)::bigint,
        (value ->> 3)::bigint, value ->> 4, (value ->> 5)::bigint
    FROM jsonb_array_elements($15::jsonb) AS new(value)
    ON CONFLICT (queue_key, hour, rep_key, band, tally)
        DO UPDATE SET count = counted.count + excluded.count
    RETURNING 1
)
SELECT json_build_array(
    (SELECT count(*) FROM standings),
    (SELECT count(*) FROM events),
    (SELECT count(*) FROM ended),
    (SELECT count(*) FROM carried),
    (SELECT count(*) FROM given),
    (SELECT count(*) FROM held),
    (SELECT count(*) FROM touches),
    (SELECT count(*) FROM requests),
    (SELECT count(*) FROM books),
    (SELECT count(*) FROM dials),
    (SELECT count(*) FROM skips),
    (SELECT count(*) FROM serves)
)::text
