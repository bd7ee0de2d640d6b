-- $1: kind; $2: value, in clear or its hash. Where a wish came from, when, and when it ends.
SELECT source, at_ms, until_ms FROM suppression WHERE kind = $1 AND value = $2
