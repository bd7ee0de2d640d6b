-- Leads that are kept for one rep: who promised to call again, and to whom a lead belongs; and when reps
-- work, so that no lead waits for one who is not there.

ALTER TABLE standing ADD COLUMN owner_key INTEGER;
-- The instant of a promised callback, from the touch that promised it until the next one.
ALTER TABLE standing ADD COLUMN callback_ms INTEGER;
-- Who promised it in person. NULL: anyone calls.
ALTER TABLE standing ADD COLUMN promised_key INTEGER CHECK (promised_key IS NULL OR callback_ms IS NOT NULL);
UPDATE standing SET callback_ms = coalesce(due_ms, ready_since_ms) WHERE tier = 0;
CREATE INDEX standing_owned ON standing (owner_key, lead_id)
    WHERE owner_key IS NOT NULL AND route IS NULL;
CREATE INDEX standing_callback ON standing (queue_key, callback_ms, lead_id)
    WHERE callback_ms IS NOT NULL;
CREATE INDEX standing_promised ON standing (promised_key, callback_ms, lead_id)
    WHERE promised_key IS NOT NULL;

-- Working hours with their zone, absences and the last day, as a JSON object.
ALTER TABLE rep ADD COLUMN work TEXT NOT NULL DEFAULT '{}';
