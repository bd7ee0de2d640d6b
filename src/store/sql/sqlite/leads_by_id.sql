-- $1: lead ids; $2: reps, for the leads that they have.
(
    SELECT value FROM json_each($1)
    UNION
    SELECT lead_id FROM lease WHERE holder_key IN (SELECT value FROM json_each($2))
)
