-- What leads did by themselves, and what became of them in the CRM.

-- Engagements: facts, written once. They go with the lead that is erased.
CREATE TABLE engagement (
    engagement_key INTEGER NOT NULL PRIMARY KEY,
    -- The system that saw it, and that system's id of it: may be personal.
    source_system  TEXT    NOT NULL,
    engagement_id  TEXT    NOT NULL,
    body_hash      TEXT    NOT NULL,
    lead_id        INTEGER NOT NULL,
    -- What it was: a token, nothing personal.
    kind           TEXT    NOT NULL,
    engaged_at_ms  INTEGER NOT NULL,
    -- 1: it was a new interest, and: it brought the lead back.
    wakes          INTEGER NOT NULL CHECK (wakes IN (0, 1)),
    woke           INTEGER NOT NULL CHECK (woke IN (0, 1)),
    recorded_at_ms INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX engagement_once ON engagement (engagement_id, source_system);
CREATE INDEX engagement_by_lead ON engagement (lead_id, engagement_key);

-- Outcomes: facts, written once, each in the book of its lead as it was then.
CREATE TABLE outcome (
    outcome_key    INTEGER NOT NULL PRIMARY KEY,
    -- The system that told, and that system's id of it: may be personal, and gone with the lead that is
    -- erased.
    source_system  TEXT    NOT NULL,
    outcome_id     TEXT,
    body_hash      TEXT    NOT NULL,
    lead_id        INTEGER NOT NULL,
    queue_key      INTEGER NOT NULL,
    campaign_key   INTEGER NOT NULL,
    source         TEXT    NOT NULL,
    result         TEXT    NOT NULL CHECK (result IN ('won', 'lost')),
    -- In minor units of the currency, by its ISO 4217 code; 0 and empty: no amount was told.
    amount_minor   INTEGER NOT NULL CHECK (amount_minor >= 0),
    currency       TEXT    NOT NULL,
    decided_at_ms  INTEGER NOT NULL,
    -- 1: it closed the lead.
    closed         INTEGER NOT NULL CHECK (closed IN (0, 1)),
    recorded_at_ms INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX outcome_once ON outcome (outcome_id, source_system);
CREATE INDEX outcome_by_lead ON outcome (lead_id);

-- What the leads of each book became: counts and sums by result and currency.
CREATE TABLE book_outcome (
    queue_key      INTEGER NOT NULL,
    campaign_key   INTEGER NOT NULL,
    source         TEXT    NOT NULL,
    result         TEXT    NOT NULL,
    currency       TEXT    NOT NULL,
    outcome_count  INTEGER NOT NULL CHECK (outcome_count > 0),
    amount_minor   INTEGER NOT NULL CHECK (amount_minor >= 0),
    PRIMARY KEY (queue_key, campaign_key, source, result, currency)
) STRICT, WITHOUT ROWID;

-- 1: its leads are not served, and keep their places.
ALTER TABLE campaign ADD COLUMN is_paused INTEGER NOT NULL DEFAULT 0 CHECK (is_paused IN (0, 1));
