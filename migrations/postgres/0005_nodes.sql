-- Several nodes over one store: who they are, who does what only one of them does at a time, and what
-- tells them that something they keep in memory was changed by another.

-- Nodes that write here. A commit whose outcome a node did not learn is known by its number.
CREATE TABLE node (
    node_id     TEXT    NOT NULL PRIMARY KEY COLLATE "C",
    -- The number of the node's last commit.
    last_commit BIGINT  NOT NULL CHECK (last_commit >= 0),
    seen_at_ms  BIGINT  NOT NULL
);

-- Duties: what one node does for all, as long as its term is the current one.
CREATE TABLE duty (
    name     TEXT    NOT NULL PRIMARY KEY COLLATE "C",
    node_id  TEXT    NOT NULL COLLATE "C",
    -- Grows with every change of the holder, so that one who slept through it is found out.
    term     BIGINT  NOT NULL CHECK (term > 0),
    until_ms BIGINT  NOT NULL
);

-- Counters that grow with every change of what they are named for.
CREATE TABLE change_count (
    name   TEXT    NOT NULL PRIMARY KEY COLLATE "C",
    number BIGINT  NOT NULL CHECK (number >= 0)
);
