-- The sessions of the nodes that use this database now: each holds the lock of nodes, whose two halves
-- are "next" and "lead" with one more.
SELECT pid::bigint FROM pg_locks
WHERE locktype = 'advisory' AND granted AND objsubid = 1
    AND classid = 1852143732 AND objid = 1818583397
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
