-- What reps skip: how many in the last hour, and of what worth in all.

-- What a leased lead was worth when it was served: the points of the rules in force.
ALTER TABLE lease ADD COLUMN points INTEGER NOT NULL DEFAULT 0;

-- Skips of the last hour, expired leases included. Older ones are swept: they limit nobody any more.
CREATE TABLE skip (
    -- The lease that was skipped.
    token   TEXT    NOT NULL PRIMARY KEY CHECK (length(token) = 32),
    rep_key INTEGER NOT NULL,
    at_ms   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX skip_by_rep ON skip (rep_key, at_ms);
CREATE INDEX skip_by_age ON skip (at_ms);

-- Serves, counted in the transaction of each: by queue, the hour since 1970 UTC in which the lead was
-- served, rep, band (the fewest points of it: 0, 1, 10, 100, 1000, 10000), and what is counted: 'served',
-- or how it ended without a touch.
CREATE TABLE serve_count (
    queue_key INTEGER NOT NULL,
    hour      INTEGER NOT NULL,
    rep_key   INTEGER NOT NULL,
    band      INTEGER NOT NULL,
    tally     TEXT    NOT NULL,
    count     INTEGER NOT NULL CHECK (count > 0),
    PRIMARY KEY (queue_key, hour, rep_key, band, tally)
) STRICT, WITHOUT ROWID;
