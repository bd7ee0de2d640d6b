-- How many leads no handover opened, and how many touches have no lead; how many touches there are, how
-- many events were written, and how many the standings count.
SELECT
    (SELECT count(*) FROM standing s WHERE NOT EXISTS (
        SELECT 1 FROM handover h WHERE h.lead_id = s.lead_id AND h.is_merged = 0)),
    (SELECT count(*) FROM touch t WHERE NOT EXISTS (
        SELECT 1 FROM standing s WHERE s.lead_id = t.lead_id)),
    (SELECT count(*) FROM touch),
    (SELECT coalesce(max(event_key), 0) FROM ledger),
    (SELECT coalesce(sum(seq), 0) FROM standing)
