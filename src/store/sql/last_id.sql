-- The last lead id that was given out, here or before a restore.
SELECT max(id) FROM (
    SELECT coalesce(max(lead_id), 0) AS id FROM lead
    UNION ALL
    SELECT coalesce(max(lead_floor), 0) FROM restore
) AS ids
