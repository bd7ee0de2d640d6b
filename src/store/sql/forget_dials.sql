-- $1: up to this instant; $2: of so many keys. The front is looked at and no more: what was recorded later
-- and lies further back stays until its turn comes.
DELETE FROM dial WHERE at_ms <= $1 AND dial_key < (SELECT min(dial_key) FROM dial) + $2
