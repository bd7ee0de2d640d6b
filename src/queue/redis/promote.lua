-- A bounded slice of what time alone changes. ARGV: now; how much at most.
-- Answers how much there was, and whether a dropped generation is still to be cleared away.

local line = open_lines()
local now, limit, done = tonumber(ARGV[1]), tonumber(ARGV[2]), 0

local function end_next()
  local lead, ends_at = first_of(line.ends)
  if not lead or tonumber(ends_at) > now then return false end
  local record, key = find(line, lead)
  if not record then note_loss(line) end
  if not record or not end_worth(line, lead, record, key, now) then
    call('ZREM', line.ends, lead)
  end
  return true
end

local function land_next()
  local lead, deadline = first_of(DEADLINES)
  if not lead or tonumber(deadline) > now then return false end
  put_back(line, lead)
  call('ZREM', DEADLINES, lead)
  return true
end

while line and done < limit and (wake_next(line, now) or end_next() or land_next()) do
  done = done + 1
end
return { done, call('EXISTS', DROPPED) }
