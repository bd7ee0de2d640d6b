-- What several nodes over one store agree on. A store in a file has one node, and the same tables.

-- The nodes, as the store knows them.
CREATE TABLE node (
    node_id      TEXT    NOT NULL PRIMARY KEY,
    -- The number of its last commit: tells whether one whose answer was lost is stored.
    last_commit  INTEGER NOT NULL,
    seen_at_ms   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Who does what only one node at a time does.
CREATE TABLE duty (
    name         TEXT    NOT NULL PRIMARY KEY,
    node_id      TEXT    NOT NULL,
    -- Grows with every change of hands: what names an older one is refused.
    term         INTEGER NOT NULL CHECK (term > 0),
    until_ms     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- How often something changed: 'settings' grows with every change of a queue, campaign, rep, rule
-- version or token, so that a node sees what others changed.
CREATE TABLE change_count (
    name         TEXT    NOT NULL PRIMARY KEY,
    number       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
