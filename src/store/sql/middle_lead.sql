-- About the middle of the ids: of those that were given out since the last restore or of those
-- before it, whichever are more.
SELECT CASE WHEN newest - floor > older THEN floor + (newest - floor) / 2 ELSE older / 2 END
FROM (
    SELECT floor, (SELECT coalesce(max(lead_id), 0) FROM lead) AS newest,
        (SELECT coalesce(max(lead_id), 0) FROM lead WHERE lead_id <= floor) AS older
    FROM (SELECT coalesce(max(lead_floor), 0) AS floor FROM restore) AS restored
) AS ids
