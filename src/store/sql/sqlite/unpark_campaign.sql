-- A campaign whose end was moved: what rests in nurture may wake again. The next sweep parks what
-- still may not. The date stands at the end of the standing.
UPDATE standing SET due_ms = CAST(substr(standing, instr(standing, ' nurture ') + 9) AS BIGINT)
WHERE campaign_key = $1 AND route = 2 AND due_ms IS NULL
    AND standing LIKE '% nurture %'
