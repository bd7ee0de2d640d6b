SELECT max(coalesce((SELECT max(lead_id) FROM standing), 0),
    coalesce((SELECT max(lead_id) FROM ledger), 0))
