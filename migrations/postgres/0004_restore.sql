-- Restores from a backup. Clients may remember leads that were opened after the backup was taken;
-- their ids must never name anybody else, so the ids of new leads go on above the floor.
CREATE TABLE restore (
    lead_floor       BIGINT  NOT NULL PRIMARY KEY,
    restored_at_ms   BIGINT  NOT NULL,
    -- The last instant in the backup's ledger: what was recorded after it was lost.
    taken_back_to_ms BIGINT  NOT NULL
);
