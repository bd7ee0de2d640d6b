-- Who gets in: the tokens that an admin made.

-- Tokens. Their text is nowhere: only its SHA-256, by which a call's token is found.
CREATE TABLE token (
    token_key     INTEGER NOT NULL PRIMARY KEY,
    -- What people call it by; made by the node, no secret.
    token_id      TEXT    NOT NULL UNIQUE,
    name          TEXT    NOT NULL,
    role          TEXT    NOT NULL CHECK (role IN ('rep', 'manager', 'marketing', 'intake', 'admin')),
    -- Whom a rep's token acts for.
    rep_key       INTEGER REFERENCES rep,
    hash          TEXT    NOT NULL UNIQUE CHECK (length(hash) = 64),
    created_at_ms INTEGER NOT NULL,
    created_by    TEXT    NOT NULL,
    -- The first instant at which it opens nothing any more.
    expires_at_ms INTEGER NOT NULL CHECK (expires_at_ms > created_at_ms),
    revoked_at_ms INTEGER,
    revoked_by    TEXT,
    -- Written once a minute at most, so it may lag behind by that.
    last_used_ms  INTEGER,
    CHECK ((role = 'rep') = (rep_key IS NOT NULL)),
    CHECK ((revoked_at_ms IS NULL) = (revoked_by IS NULL))
) STRICT;
CREATE INDEX token_live ON token (expires_at_ms) WHERE revoked_at_ms IS NULL;
