-- How often what a campaign's leads' lanes are made of changed, which is the skills that they need. An
-- index that was ranked before the last change is ranked again, whoever saw it.
ALTER TABLE campaign ADD COLUMN lane_version INTEGER NOT NULL DEFAULT 0 CHECK (lane_version >= 0);
