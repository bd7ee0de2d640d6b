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
