-- The indexes over standings ask for the route, which only a lead that closes or opens again gets or
-- loses, and no more for the state, which every serve and every touch changes: a move between ready,
-- waiting and leased leaves them as they are. An erased lead has no route and stays in them; who reads
-- them asks for the state beside.
DROP INDEX standing_listed;
DROP INDEX standing_open_by_campaign;
DROP INDEX standing_parked;
DROP INDEX standing_uncontacted;
DROP INDEX standing_never_contacted;
CREATE INDEX standing_listed ON standing (queue_key, lead_id) WHERE route IS NULL OR route = 2;
CREATE INDEX standing_open_by_campaign ON standing (campaign_key) WHERE route IS NULL;
CREATE INDEX standing_parked ON standing (campaign_key) WHERE route = 2 AND due_ms IS NULL;
CREATE INDEX standing_uncontacted ON standing (touch_by_ms, lead_id)
    WHERE first_touched_ms IS NULL AND route IS NULL;
CREATE INDEX standing_never_contacted ON standing (touch_by_ms, lead_id)
    WHERE first_touched_ms IS NULL AND route IS NOT NULL;
