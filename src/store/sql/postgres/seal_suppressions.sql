-- Each row: kind, value, and the hash that takes its place. One that is a hash already is not found;
-- one whose hash is there already takes its place.
WITH sealed AS (
    DELETE FROM suppression USING jsonb_array_elements($1::jsonb) AS new(value)
    WHERE suppression.kind = new.value ->> 0 AND suppression.value = new.value ->> 1
    RETURNING kind, new.value ->> 2 AS hash, source, actor, at_ms, until_ms
)
INSERT INTO suppression (kind, value, is_hashed, source, actor, at_ms, until_ms)
SELECT kind, hash, 1, source, actor, at_ms, until_ms FROM sealed
ON CONFLICT (kind, value) DO UPDATE SET
    source = excluded.source, actor = excluded.actor, at_ms = excluded.at_ms,
    until_ms = excluded.until_ms
