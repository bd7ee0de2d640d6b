SELECT touch_id, lead_id, rep_key, token, channel, direction, number, started_at_ms, ended_at_ms,
    disposition, callback_at_ms, notes, late, recorded_at_ms
FROM touch WHERE lead_id = $1 ORDER BY touch_key DESC LIMIT $2
