-- Everything that nextlead knows: who works what, the leads, and the books about them.
-- Times are milliseconds since 1970 UTC. A standing is written as words: "ready", "leased",
-- "waiting retry 1700000000000", "closed no_answer nurture 1700000000000".

-- Queues: a rule set, a policy and its reps.
CREATE TABLE queue (
    queue_key INTEGER NOT NULL PRIMARY KEY,
    queue_id  TEXT    NOT NULL UNIQUE,
    settings  TEXT    NOT NULL CHECK (json_valid(settings))
) STRICT;

-- Campaigns: where leads come from. Each feeds one queue, for good.
CREATE TABLE campaign (
    campaign_key INTEGER NOT NULL PRIMARY KEY,
    campaign_id  TEXT    NOT NULL UNIQUE,
    queue_key    INTEGER NOT NULL REFERENCES queue,
    settings     TEXT    NOT NULL CHECK (json_valid(settings)),
    -- Repeated from the settings for the sweep: when it ends, and the route of what is open then.
    ends_at_ms   INTEGER,
    route_at_end TEXT    NOT NULL
) STRICT;

-- Reps: who calls.
CREATE TABLE rep (
    rep_key   INTEGER NOT NULL PRIMARY KEY,
    rep_id    TEXT    NOT NULL UNIQUE,
    queue_key INTEGER NOT NULL REFERENCES queue,
    skills    TEXT    NOT NULL CHECK (json_valid(skills)),
    is_active INTEGER NOT NULL CHECK (is_active IN (0, 1))
) STRICT;

-- The versions of each queue's rules; never changed but for the instant since which they decide.
CREATE TABLE rule_version (
    queue_key       INTEGER NOT NULL REFERENCES queue,
    version         INTEGER NOT NULL CHECK (version > 0),
    document        TEXT    NOT NULL,
    author          TEXT    NOT NULL,
    reason          TEXT    NOT NULL,
    published_at_ms INTEGER NOT NULL,
    in_force_at_ms  INTEGER,
    PRIMARY KEY (queue_key, version)
) STRICT, WITHOUT ROWID;

-- Leads: what does not change while they are worked. Wide rows, rarely written twice.
CREATE TABLE lead (
    lead_id            INTEGER NOT NULL PRIMARY KEY CHECK (lead_id > 0),
    queue_key          INTEGER NOT NULL,
    campaign_key       INTEGER NOT NULL,
    source_system      TEXT    NOT NULL,
    external_id        TEXT    NOT NULL,
    handed_over_at_ms  INTEGER NOT NULL,
    first_touch_due_ms INTEGER,
    predecessor        INTEGER CHECK (predecessor < lead_id),
    -- The e-mail address as it is compared; also inside the facts as it was given.
    email_folded       TEXT,
    facts              TEXT    NOT NULL
) STRICT;
CREATE INDEX lead_by_email ON lead (email_folded, queue_key) WHERE email_folded IS NOT NULL;

-- The numbers of every lead, stopped ones too: who else carries a number?
CREATE TABLE lead_number (
    number    TEXT    NOT NULL,
    lead_id   INTEGER NOT NULL,
    queue_key INTEGER NOT NULL,
    PRIMARY KEY (number, lead_id)
) STRICT, WITHOUT ROWID;

-- Where each lead stands. Narrow rows, written at every change.
CREATE TABLE standing (
    lead_id            INTEGER NOT NULL PRIMARY KEY,
    queue_key          INTEGER NOT NULL,
    campaign_key       INTEGER NOT NULL,
    -- The source in whose books the lead stands: that of the handover that opened it.
    source             TEXT    NOT NULL,
    -- 0 ready, 1 waiting, 2 leased, 3 closed: the first word of the standing.
    state              INTEGER NOT NULL CHECK (state BETWEEN 0 AND 3),
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
CREATE INDEX standing_due ON standing (due_ms) WHERE due_ms IS NOT NULL;
CREATE INDEX standing_listed ON standing (queue_key, lead_id)
    WHERE state <> 3 OR due_ms IS NOT NULL;
CREATE INDEX standing_open_by_campaign ON standing (campaign_key) WHERE state <> 3;
CREATE INDEX standing_parked ON standing (campaign_key)
    WHERE state = 3 AND route = 2 AND due_ms IS NULL;
CREATE INDEX standing_uncontacted ON standing (touch_by_ms, lead_id)
    WHERE first_touched_ms IS NULL AND state <> 3;
CREATE INDEX standing_never_contacted ON standing (touch_by_ms, lead_id)
    WHERE first_touched_ms IS NULL AND state = 3;

-- Handovers: each opened a lead or was merged into one, and is counted once in the books.
CREATE TABLE handover (
    handover_key      INTEGER NOT NULL PRIMARY KEY,
    source_system     TEXT    NOT NULL,
    external_id       TEXT    NOT NULL,
    campaign_key      INTEGER NOT NULL REFERENCES campaign,
    queue_key         INTEGER NOT NULL,
    source            TEXT    NOT NULL,
    lead_id           INTEGER NOT NULL,
    is_merged         INTEGER NOT NULL CHECK (is_merged IN (0, 1)),
    -- Tells whether the facts that are sent again are the same.
    facts_hash        TEXT    NOT NULL,
    handed_over_at_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX handover_by_lead ON handover (lead_id);
CREATE UNIQUE INDEX handover_once ON handover (external_id, source_system, campaign_key);

-- Leases that stand or whose grace runs. One a lead, one a rep.
CREATE TABLE lease (
    lead_id            INTEGER NOT NULL PRIMARY KEY,
    queue_key          INTEGER NOT NULL,
    rep_key            INTEGER NOT NULL,
    -- The rep again while they are not free for another lead; NULL once it expired.
    holder_key         INTEGER UNIQUE CHECK (holder_key = rep_key),
    token              TEXT    NOT NULL UNIQUE CHECK (length(token) = 32),
    serve_order        TEXT    NOT NULL,
    rule_version       INTEGER NOT NULL,
    granted_at_ms      INTEGER NOT NULL,
    expires_at_ms      INTEGER NOT NULL,
    held_until_ms      INTEGER NOT NULL,
    renewable_until_ms INTEGER NOT NULL,
    CHECK (expires_at_ms <= held_until_ms)
) STRICT;
CREATE INDEX lease_by_rep ON lease (rep_key);
CREATE INDEX lease_by_end ON lease (held_until_ms);
CREATE INDEX lease_by_expiry ON lease (expires_at_ms) WHERE holder_key IS NOT NULL;

-- The numbers in a rep's hands: a number is held for one lead at most.
CREATE TABLE held_number (
    number  TEXT    NOT NULL PRIMARY KEY,
    lead_id INTEGER NOT NULL REFERENCES lease
) STRICT, WITHOUT ROWID;
CREATE INDEX held_number_by_lead ON held_number (lead_id);

-- Touches: facts, written once.
CREATE TABLE touch (
    touch_key        INTEGER NOT NULL PRIMARY KEY,
    caller           TEXT    NOT NULL,
    touch_id         TEXT    NOT NULL,
    body_hash        TEXT    NOT NULL,
    lead_id          INTEGER NOT NULL,
    rep_key          INTEGER,
    token            TEXT,
    channel          TEXT    NOT NULL,
    direction        TEXT    NOT NULL,
    number           TEXT,
    started_at_ms    INTEGER NOT NULL,
    ended_at_ms      INTEGER NOT NULL,
    disposition      TEXT    NOT NULL,
    callback_at_ms   INTEGER,
    notes            TEXT    NOT NULL,
    late             INTEGER NOT NULL CHECK (late IN (0, 1)),
    recorded_at_ms   INTEGER NOT NULL,
    -- What else its request was answered with, for a replay: leads closed, and the next lease.
    suppressed_count INTEGER NOT NULL,
    next_lead_id     INTEGER,
    next_token       TEXT,
    CHECK ((next_lead_id IS NULL) = (next_token IS NULL))
) STRICT;
CREATE UNIQUE INDEX touch_once ON touch (touch_id, caller);
CREATE INDEX touch_by_lead ON touch (lead_id, touch_key);

-- The ledger: every event of every lead, numbered without gaps. Nothing in it is ever changed.
CREATE TABLE ledger (
    lead_id       INTEGER NOT NULL,
    seq           INTEGER NOT NULL CHECK (seq > 0),
    at_ms         INTEGER NOT NULL,
    kind          TEXT    NOT NULL,
    actor         TEXT    NOT NULL,
    from_standing TEXT CHECK ((from_standing IS NULL) = (seq = 1)),
    to_standing   TEXT    NOT NULL,
    rule_version  INTEGER,
    -- Ids, codes and numbers as a JSON object; never personal data.
    detail        TEXT,
    PRIMARY KEY (lead_id, seq)
) STRICT, WITHOUT ROWID;

-- Numbers and e-mail addresses that said never.
CREATE TABLE suppression (
    kind   TEXT    NOT NULL CHECK (kind IN ('number', 'email')),
    value  TEXT    NOT NULL,
    source TEXT    NOT NULL,
    actor  TEXT    NOT NULL,
    at_ms  INTEGER NOT NULL,
    PRIMARY KEY (kind, value)
) STRICT, WITHOUT ROWID;

-- Leads that a rep is not offered for a while, as they released them or let them expire.
CREATE TABLE pass (
    rep_key  INTEGER NOT NULL,
    lead_id  INTEGER NOT NULL,
    until_ms INTEGER NOT NULL,
    PRIMARY KEY (rep_key, lead_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX pass_by_end ON pass (until_ms);

-- Requests that were answered, so that asking again changes nothing. Kept 48 hours.
CREATE TABLE request (
    caller     TEXT    NOT NULL,
    request_id TEXT    NOT NULL,
    body_hash  TEXT    NOT NULL,
    -- Ids and counts only, no personal data.
    answer     TEXT    NOT NULL CHECK (json_valid(answer)),
    at_ms      INTEGER NOT NULL,
    PRIMARY KEY (caller, request_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX request_by_age ON request (at_ms);

-- The books: counters of one queue, campaign and source, moved in the transaction of each change.
CREATE TABLE book (
    queue_key          INTEGER NOT NULL,
    campaign_key       INTEGER NOT NULL,
    source             TEXT    NOT NULL,
    handed_over        INTEGER NOT NULL DEFAULT 0 CHECK (handed_over >= 0),
    ready              INTEGER NOT NULL DEFAULT 0 CHECK (ready >= 0),
    waiting            INTEGER NOT NULL DEFAULT 0 CHECK (waiting >= 0),
    leased             INTEGER NOT NULL DEFAULT 0 CHECK (leased >= 0),
    won                INTEGER NOT NULL DEFAULT 0 CHECK (won >= 0),
    lost               INTEGER NOT NULL DEFAULT 0 CHECK (lost >= 0),
    nurture            INTEGER NOT NULL DEFAULT 0 CHECK (nurture >= 0),
    suppressed         INTEGER NOT NULL DEFAULT 0 CHECK (suppressed >= 0),
    unreachable        INTEGER NOT NULL DEFAULT 0 CHECK (unreachable >= 0),
    superseded         INTEGER NOT NULL DEFAULT 0 CHECK (superseded >= 0),
    merged             INTEGER NOT NULL DEFAULT 0 CHECK (merged >= 0),
    touched            INTEGER NOT NULL DEFAULT 0 CHECK (touched >= 0),
    touched_in_time    INTEGER NOT NULL DEFAULT 0 CHECK (touched_in_time >= 0),
    first_touch_ms_sum INTEGER NOT NULL DEFAULT 0 CHECK (first_touch_ms_sum >= 0),
    touches            INTEGER NOT NULL DEFAULT 0 CHECK (touches >= 0),
    -- The last ledger instant of any of its leads.
    last_ms            INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (queue_key, campaign_key, source)
) STRICT, WITHOUT ROWID;
