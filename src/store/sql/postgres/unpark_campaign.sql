-- A campaign whose end was moved: what rests in nurture may wake again. The next sweep parks what
-- still may not. The date stands at the end of the standing.
UPDATE standing SET due_ms = substr(standing, strpos(standing, ' nurture ') + 9)::bigint
WHERE campaign_key = $1 AND route = 2 AND due_ms IS NULL
    AND standing LIKE '% nurture %'
