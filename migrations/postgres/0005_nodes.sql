-- What several nodes over one store agree on.

-- The nodes, as the store knows them.
CREATE TABLE node (
    node_id      TEXT    NOT NULL PRIMARY KEY COLLATE "C",
    -- The number of its last commit: tells whether one whose answer was lost is stored.
    last_commit  BIGINT  NOT NULL,
    seen_at_ms   BIGINT  NOT NULL
);

-- Who does what only one node at a time does.
CREATE TABLE duty (
    name         TEXT    NOT NULL PRIMARY KEY COLLATE "C",
    node_id      TEXT    NOT NULL COLLATE "C",
    -- Grows with every change of hands: what names an older one is refused.
    term         BIGINT  NOT NULL CHECK (term > 0),
    until_ms     BIGINT  NOT NULL
);

-- How often something changed: 'settings' grows with every change of a queue, campaign, rep, rule
-- version or token, so that a node sees what others changed.
CREATE TABLE change_count (
    name         TEXT    NOT NULL PRIMARY KEY COLLATE "C",
    number       BIGINT  NOT NULL
);
