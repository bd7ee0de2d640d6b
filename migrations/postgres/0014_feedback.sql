-- What reps think of the leads that they touched: asked for by the queue with the touch, or given unasked.
-- Ids, numbers and codes, nothing personal: it outlives an erasure.
CREATE TABLE feedback (
    -- The touch.
    touch_id     TEXT    NOT NULL COLLATE "C",
    caller       TEXT    NOT NULL COLLATE "C",
    lead_id      BIGINT NOT NULL,
    rep_key      BIGINT NOT NULL,
    queue_key    BIGINT NOT NULL,
    -- In whose books the lead stands.
    campaign_key BIGINT NOT NULL,
    source       TEXT    NOT NULL COLLATE "C",
    touched_at_ms BIGINT NOT NULL,
    -- 0 given unasked, 1 asked, 2 required.
    mode         BIGINT NOT NULL CHECK (mode BETWEEN 0 AND 2),
    rating       BIGINT CHECK (rating BETWEEN 1 AND 5),
    reason       TEXT COLLATE "C",
    given_at_ms  BIGINT,
    PRIMARY KEY (touch_id, caller),
    CHECK ((rating IS NULL) = (reason IS NULL) AND (rating IS NULL) = (given_at_ms IS NULL)),
    CHECK (mode > 0 OR rating IS NOT NULL)
);
CREATE INDEX feedback_owed ON feedback (rep_key, touched_at_ms) WHERE rating IS NULL;
CREATE INDEX feedback_owed_in_queue ON feedback (queue_key, touched_at_ms) WHERE rating IS NULL;
CREATE INDEX feedback_by_time ON feedback (queue_key, touched_at_ms);
