-- How the attempts on a lead were spread, so that deciding what comes next reads no history: how often each
-- part of its day was tried, and since when it is in a stage of the policy, packed into one number.
-- Attempts that were made before are not known by it, and count as made at night.
ALTER TABLE standing ADD COLUMN cadence INTEGER NOT NULL DEFAULT 0 CHECK (cadence >= 0);
