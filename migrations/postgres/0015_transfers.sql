-- Leads that another queue works than their campaign feeds.

-- When the lead came into its queue from another one; NULL: its handover brought it there.
ALTER TABLE standing ADD COLUMN entered_ms BIGINT;
-- How often policies have handed it to another queue, since the handover or the last return from nurture.
ALTER TABLE standing ADD COLUMN transfers BIGINT NOT NULL DEFAULT 0 CHECK (transfers >= 0);

-- The queue that had the lead, for touches of leads that came from another one. NULL: the queue of the
-- handover that opened the lead.
ALTER TABLE touch ADD COLUMN queue_key BIGINT;
CREATE INDEX touch_elsewhere ON touch (lead_id) WHERE queue_key IS NOT NULL;

-- Every transfer, written once, with the event of the ledger that tells of it.
CREATE TABLE transfer (
    event_key      BIGINT NOT NULL PRIMARY KEY,
    lead_id        BIGINT NOT NULL,
    from_queue_key BIGINT NOT NULL,
    to_queue_key   BIGINT NOT NULL CHECK (to_queue_key <> from_queue_key)
);
CREATE INDEX transfer_by_lead ON transfer (lead_id, event_key);

-- A transfer moves a lead from the book of one queue to that of the other.
ALTER TABLE book ADD COLUMN transferred_in BIGINT NOT NULL DEFAULT 0 CHECK (transferred_in >= 0);
ALTER TABLE book ADD COLUMN transferred_out BIGINT NOT NULL DEFAULT 0 CHECK (transferred_out >= 0);
