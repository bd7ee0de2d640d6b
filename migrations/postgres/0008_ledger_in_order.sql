-- The ledger in the order in which it is written. Ordered by lead, as before, every event went to another
-- full page in the middle of the index, and the pages that a rep's cycle wrote were mostly these. Now an
-- event goes to the end, and names the one of its lead before it; the lead's standing names the last.

-- The ledger: every event of every lead. Nothing in it is ever changed, and nothing is ever taken out.
CREATE TABLE ledger_new (
    -- From 1, without gaps, in the order of writing: the audit holds the last against the standings.
    event_key     BIGINT  NOT NULL CHECK (event_key > 0),
    lead_id       BIGINT  NOT NULL,
    -- Its number within the lead: from 1, without gaps.
    seq           BIGINT  NOT NULL CHECK (seq > 0),
    -- The lead's event before it.
    previous      BIGINT  CHECK (previous < event_key) CHECK ((previous IS NULL) = (seq = 1)),
    at_ms         BIGINT  NOT NULL,
    kind          TEXT    NOT NULL COLLATE "C",
    actor         TEXT    NOT NULL,
    from_standing TEXT CHECK ((from_standing IS NULL) = (seq = 1)),
    to_standing   TEXT    NOT NULL,
    rule_version  BIGINT,
    -- Ids, codes and numbers as a JSON object; never personal data.
    detail        TEXT
);
INSERT INTO ledger_new
SELECT event_key, lead_id, seq, CASE WHEN seq > 1 THEN event_key - 1 END, at_ms, kind, actor,
    from_standing, to_standing, rule_version, detail
FROM (SELECT row_number() OVER (ORDER BY lead_id, seq) AS event_key, * FROM ledger) AS events
ORDER BY event_key;
DROP TABLE ledger;
ALTER TABLE ledger_new RENAME TO ledger;
ALTER TABLE ledger ADD PRIMARY KEY (event_key);

-- Where each lead stands, with the key of its last ledger event, from which its history is read
-- backwards. A lead that lost its events stays, for the audit to tell.
ALTER TABLE standing ADD COLUMN last_event BIGINT NOT NULL DEFAULT 0;
UPDATE standing SET last_event = ends.event_key
FROM (SELECT lead_id, max(event_key) AS event_key FROM ledger GROUP BY lead_id) AS ends
WHERE ends.lead_id = standing.lead_id;
ALTER TABLE standing ALTER COLUMN last_event DROP DEFAULT;
