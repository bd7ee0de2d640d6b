SELECT coalesce(max(lead_id), 0) FROM lead
