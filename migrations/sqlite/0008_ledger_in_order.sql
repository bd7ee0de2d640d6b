-- The ledger in the order in which it is written. Ordered by lead, as before, every event went to another
-- full page in the middle of the table, and the pages that a rep's cycle wrote were mostly these. Now an
-- event goes to the end, and names the one of its lead before it; the lead's standing names the last.

-- The ledger: every event of every lead. Nothing in it is ever changed, and nothing is ever taken out.
CREATE TABLE ledger_new (
    -- From 1, without gaps, in the order of writing: the audit holds the last against the standings.
    event_key     INTEGER NOT NULL PRIMARY KEY CHECK (event_key > 0),
    lead_id       INTEGER NOT NULL,
    -- Its number within the lead: from 1, without gaps.
    seq           INTEGER NOT NULL CHECK (seq > 0),
    -- The lead's event before it.
    previous      INTEGER CHECK (previous < event_key) CHECK ((previous IS NULL) = (seq = 1)),
    at_ms         INTEGER NOT NULL,
    kind          TEXT    NOT NULL,
    actor         TEXT    NOT NULL,
    from_standing TEXT CHECK ((from_standing IS NULL) = (seq = 1)),
    to_standing   TEXT    NOT NULL,
    rule_version  INTEGER,
    -- Ids, codes and numbers as a JSON object; never personal data.
    detail        TEXT
) STRICT;
INSERT INTO ledger_new
SELECT event_key, lead_id, seq, CASE WHEN seq > 1 THEN event_key - 1 END, at_ms, kind, actor,
    from_standing, to_standing, rule_version, detail
FROM (SELECT row_number() OVER (ORDER BY lead_id, seq) AS event_key, * FROM ledger);

-- Where each lead stands, as before, with its last event. Made anew, as rows that grow in full pages
-- would split each of them.
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
    -- The key of its last ledger event, from which its history is read backwards.
    last_event         INTEGER NOT NULL,
    CHECK ((state = 3) = (route IS NOT NULL))
) STRICT;
-- A lead that lost its events stays, for the audit to tell.
WITH ends AS MATERIALIZED (
    SELECT lead_id, sum(count(*)) OVER (ORDER BY lead_id) AS event_key FROM ledger GROUP BY lead_id
)
INSERT INTO standing_new
SELECT s.lead_id, queue_key, campaign_key, source, state, standing, route, tier, seq, changed_at_ms,
    ready_since_ms, attempts, last_disposition, first_touched_ms, times_released, touch_by_ms,
    has_promise, due_ms, coalesce(ends.event_key, 0)
FROM standing s LEFT JOIN ends ON ends.lead_id = s.lead_id ORDER BY s.lead_id;
-- Emptied first: to take a table away whole, SQLite keeps all of its pages in memory.
DELETE FROM ledger;
DROP TABLE ledger;
ALTER TABLE ledger_new RENAME TO ledger;
DELETE FROM standing;
DROP TABLE standing;
ALTER TABLE standing_new RENAME TO standing;
CREATE INDEX standing_due ON standing (due_ms) WHERE due_ms IS NOT NULL;
CREATE INDEX standing_listed ON standing (queue_key, lead_id) WHERE route IS NULL OR route = 2;
CREATE INDEX standing_open_by_campaign ON standing (campaign_key) WHERE route IS NULL;
CREATE INDEX standing_parked ON standing (campaign_key) WHERE route = 2 AND due_ms IS NULL;
CREATE INDEX standing_uncontacted ON standing (touch_by_ms, lead_id)
    WHERE first_touched_ms IS NULL AND route IS NULL;
CREATE INDEX standing_never_contacted ON standing (touch_by_ms, lead_id)
    WHERE first_touched_ms IS NULL AND route IS NOT NULL;
