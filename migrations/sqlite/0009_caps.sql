-- Caps: how often a number was dialled, whichever lead and queue it was for; and suppressions that end.

-- Outbound calls, each at its start, and leases that ended in doubt. Kept for 90 days.
CREATE TABLE dial (
    -- In the order in which they were recorded; what is old is forgotten from the front.
    dial_key INTEGER NOT NULL PRIMARY KEY,
    -- E.164; or its HMAC-SHA256 under the erasure key, once whoever it belongs to was erased.
    number   TEXT    NOT NULL,
    at_ms    INTEGER NOT NULL,
    lead_id  INTEGER NOT NULL,
    -- The lease that ended without a word, so that nobody knows whether the call was made: it counts from
    -- the lease's beginning, until a late touch tells. NULL: a touch told of the call.
    token    TEXT
) STRICT;
-- The calls that were made before, as far as the longest window goes.
INSERT INTO dial (dial_key, number, at_ms, lead_id)
SELECT touch_key, number, min(started_at_ms, recorded_at_ms), lead_id FROM touch
WHERE channel = 'call' AND direction = 'outbound' AND number IS NOT NULL
    AND started_at_ms > (SELECT max(recorded_at_ms) FROM touch) - 7776000000;
CREATE INDEX dial_by_number ON dial (number, at_ms, token);
CREATE INDEX dial_in_doubt ON dial (token) WHERE token IS NOT NULL;

-- The numbers that may be dialled under a lease, as a JSON array. NULL: each that is callable.
ALTER TABLE lease ADD COLUMN dialable TEXT CHECK (json_valid(dialable));

-- When a suppression ends; it is listed still, and bars nobody from then on. NULL: never.
ALTER TABLE suppression ADD COLUMN until_ms INTEGER;
