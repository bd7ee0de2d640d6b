-- Erasure: a standing of its own, its column in the books, the key under which what must outlive an
-- erasure is kept, and suppressions that are kept in that way.

-- Secrets of this file. `erasure` is the key of every HMAC-SHA256 that stands for something erased:
-- 32 random bytes, made at the first erasure. Without a row nothing was ever erased here.
CREATE TABLE secret (
    name  TEXT NOT NULL PRIMARY KEY,
    value BLOB NOT NULL CHECK (length(value) = 32)
) STRICT, WITHOUT ROWID;

-- Where each lead stands, as before; `state` may also be 4, erased. SQLite changes a CHECK only by
-- making the table anew.
CREATE TABLE standing_new (
    lead_id            INTEGER NOT NULL PRIMARY KEY,
    queue_key          INTEGER NOT NULL,
    campaign_key       INTEGER NOT NULL,
    -- The source in whose books the lead stands: that of the handover that opened it.
    source             TEXT    NOT NULL,
    -- 0 ready, 1 waiting, 2 leased, 3 closed, 4 erased: the first word of the standing.
    state              INTEGER NOT NULL CHECK (state BETWEEN 0 AND 4),
    standing           TEXT    NOT NULL,
    -- The place of a closed lead's route in won, lost, nurture, suppressed, unreachable, superseded.
    route              INTEGER CHECK (route BETWEEN 0 AND 5),
    tier               INTEGER NOT NULL CHECK (tier IN (0, 1)),
    -- The number of its last ledger event; names the version that a change expects.
    seq                INTEGER NOT NULL CHECK (seq > 0),
    changed_at_ms      INTEGER NOT NULL,
    ready_since_ms     INTEGER NOT NULL,
    attempts           INTEGER NOT NULL CHECK (attempts >= 0),
    last_disposition   TEXT,
    first_touched_ms   INTEGER,
    times_released     INTEGER NOT NULL CHECK (times_released >= 0),
    -- Its place in the order of first touches: the promised instant, else that of the handover.
    touch_by_ms        INTEGER NOT NULL,
    has_promise        INTEGER NOT NULL CHECK (has_promise IN (0, 1)),
    -- When time alone moves it: the end of a wait or of a nurture. NULL in a nurture whose campaign
    -- ended, which nothing wakes any more.
    due_ms             INTEGER,
    CHECK ((state = 3) = (route IS NOT NULL))
) STRICT;
INSERT INTO standing_new
SELECT lead_id, queue_key, campaign_key, source, state, standing, route, tier, seq, changed_at_ms,
    ready_since_ms, attempts, last_disposition, first_touched_ms, times_released, touch_by_ms,
    has_promise, due_ms
FROM standing ORDER BY lead_id;
DROP TABLE standing;
ALTER TABLE standing_new RENAME TO standing;
CREATE INDEX standing_due ON standing (due_ms) WHERE due_ms IS NOT NULL;
CREATE INDEX standing_listed ON standing (queue_key, lead_id)
    WHERE state < 3 OR due_ms IS NOT NULL;
CREATE INDEX standing_open_by_campaign ON standing (campaign_key) WHERE state < 3;
CREATE INDEX standing_parked ON standing (campaign_key)
    WHERE state = 3 AND route = 2 AND due_ms IS NULL;
CREATE INDEX standing_uncontacted ON standing (touch_by_ms, lead_id)
    WHERE first_touched_ms IS NULL AND state < 3;
CREATE INDEX standing_never_contacted ON standing (touch_by_ms, lead_id)
    WHERE first_touched_ms IS NULL AND state = 3;

-- Handovers whose lead was erased. They stay in the books under it.
ALTER TABLE book ADD COLUMN erased INTEGER NOT NULL DEFAULT 0 CHECK (erased >= 0);

-- 1: the value is an HMAC-SHA256 under the erasure key, in hexadecimal digits, as whoever it belongs
-- to was erased. It still counts.
ALTER TABLE suppression ADD COLUMN is_hashed INTEGER NOT NULL DEFAULT 0
    CHECK (is_hashed IN (0, 1));
