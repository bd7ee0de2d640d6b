SELECT greatest(
    floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint,
    -- While the clock is behind what nodes have told, time goes on from there.
    (SELECT max(seen_at_ms) FROM node)
)
