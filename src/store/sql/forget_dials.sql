-- $1: up to this instant; $2: of so many keys. The front is looked at and no more: what was recorded later
-- and lies further back stays until its turn comes. Nor is anything forgotten within 90 days of the last
-- event, however long ago that was: so far back the audit counts.
DELETE FROM dial WHERE at_ms <= $1 AND dial_key < (SELECT min(dial_key) FROM dial) + $2
    AND at_ms + 7776000000 <= (
        SELECT at_ms FROM ledger WHERE event_key = (SELECT max(event_key) FROM ledger))