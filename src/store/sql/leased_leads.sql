SELECT lead_id FROM lease ORDER BY lead_id
