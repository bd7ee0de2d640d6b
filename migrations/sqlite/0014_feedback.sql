-- What reps think of the leads that they touched: asked for by the queue with the touch, or given unasked.
-- Ids, numbers and codes, nothing personal: it outlives an erasure.
CREATE TABLE feedback (
    -- The touch.
    touch_id     TEXT    NOT NULL,
    caller       TEXT    NOT NULL,
    lead_id      INTEGER NOT NULL,
    rep_key      INTEGER NOT NULL,
    queue_key    INTEGER NOT NULL,
    -- In whose books the lead stands.
    campaign_key INTEGER NOT NULL,
    source       TEXT    NOT NULL,
    touched_at_ms INTEGER NOT NULL,
    -- 0 given unasked, 1 asked, 2 required.
    mode         INTEGER NOT NULL CHECK (mode BETWEEN 0 AND 2),
    rating       INTEGER CHECK (rating BETWEEN 1 AND 5),
    reason       TEXT,
    given_at_ms  INTEGER,
    PRIMARY KEY (touch_id, caller),
    CHECK ((rating IS NULL) = (reason IS NULL) AND (rating IS NULL) = (given_at_ms IS NULL)),
    CHECK (mode > 0 OR rating IS NOT NULL)
) STRICT, WITHOUT ROWID;
CREATE INDEX feedback_owed ON feedback (rep_key, touched_at_ms) WHERE rating IS NULL;
CREATE INDEX feedback_owed_in_queue ON feedback (queue_key, touched_at_ms) WHERE rating IS NULL;
CREATE INDEX feedback_by_time ON feedback (queue_key, touched_at_ms);
