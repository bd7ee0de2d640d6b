-- Erasure: a standing of its own, its column in the books, the key under which what must outlive an
-- erasure is kept, and suppressions that are kept in that way.

-- Secrets of this store. `erasure` is the key of every HMAC-SHA256 that stands for something erased:
-- 32 random bytes, made at the first erasure. Without a row nothing was ever erased here.
CREATE TABLE secret (
    name  TEXT NOT NULL PRIMARY KEY COLLATE "C",
    value BYTEA NOT NULL CHECK (length(value) = 32)
);

-- Where each lead stands: `state` may also be 4, erased.
ALTER TABLE standing
    DROP CONSTRAINT standing_state_check,
    ADD CONSTRAINT standing_state_check CHECK (state BETWEEN 0 AND 4);
DROP INDEX standing_due, standing_listed, standing_open_by_campaign, standing_parked,
    standing_uncontacted, standing_never_contacted;
CREATE INDEX standing_due ON standing (due_ms) WHERE due_ms IS NOT NULL;
CREATE INDEX standing_listed ON standing (queue_key, lead_id)
    WHERE state < 3 OR due_ms IS NOT NULL;
CREATE INDEX standing_open_by_campaign ON standing (campaign_key) WHERE state < 3;
CREATE INDEX standing_parked ON standing (campaign_key)
    WHERE state = 3 AND route = 2 AND due_ms IS NULL;
CREATE INDEX standing_uncontacted ON standing (touch_by_ms, lead_id)
    WHERE first_touched_ms IS NULL AND state < 3;
CREATE INDEX standing_never_contacted ON standing (touch_by_ms, lead_id)
    WHERE first_touched_ms IS NULL AND state = 3;

-- Handovers whose lead was erased. They stay in the books under it.
ALTER TABLE book ADD COLUMN erased BIGINT  NOT NULL DEFAULT 0 CHECK (erased >= 0);

-- 1: the value is an HMAC-SHA256 under the erasure key, in hexadecimal digits, as whoever it belongs
-- to was erased. It still counts.
ALTER TABLE suppression ADD COLUMN is_hashed BIGINT  NOT NULL DEFAULT 0
    CHECK (is_hashed IN (0, 1));
