-- What people read of a line: its order from the front, and a lead's place.
--
-- ARGV: 'peek', now and how many; or 'place', now and a lead. Nothing is moved for it: what fell due
-- or ended by now is seen as it will be, as far as MOVED_MAX of each kind.
-- Answers 'peek': how many are ready, then tier, virtual since, lead, head start and promise of each;
-- 'place': how many go before it and how many are ready, or nothing.

local MOVED_MAX = 10000

local line = open_lines()
if not line then return { 0 } end
local now = tonumber(ARGV[2])
local lane_count = call('HLEN', line.lanes)

-- Leads that stand in line otherwise than they will be seen, by lead; and those that are not there yet.
local ended, due = {}, {}
for _, lead in ipairs(call('ZRANGEBYSCORE', line.ends, '-inf', now, 'LIMIT', 0, MOVED_MAX)) do
  local record, number = find(line, lead)
  if record then ended[lead] = { lead = lead, record = record, number = number } end
end
for _, lead in ipairs(call('ZRANGEBYSCORE', line.waiting, '-inf', now, 'LIMIT', 0, MOVED_MAX)) do
  local record, number = find(line, lead)
  if record then due[lead] = { lead = lead, record = record, number = number } end
end

local function see(one)
  one.stale_since = one.record.ready_since - one.record.head_start
  step_worth(one.record, now)
  one.since = one.record.ready_since - one.record.head_start
  one.tier = lane_of(line, one.number).tier
end
for _, one in pairs(ended) do see(one) end
local due_count = call('ZCOUNT', line.waiting, '-inf', now)
for _, one in pairs(due) do see(one) end

local function goes_before(a, b)
  if a.tier ~= b.tier then return a.tier < b.tier end
  if a.since ~= b.since then return a.since < b.since end
  for at = 1, 8 do
    local x, y = string.byte(a.lead, at), string.byte(b.lead, at)
    if x ~= y then return x < y end
  end
  return false
end

local ready_count = due_count
for number = 0, lane_count - 1 do
  ready_count = ready_count + call('ZCARD', line.base .. 'r' .. number)
end

-- How many of a lane go before a lead that would stand there since an instant. Those of one instant
-- stand in the order of their bytes.
local function count_before(key, since, lead)
  local from = call('ZCOUNT', key, '-inf', string.format('(%.17g', since))
  local low, high = from, from + call('ZCOUNT', key, since, since)
  while low < high do
    local middle = math.floor((low + high) / 2)
    local other = { tier = 0, since = 0, lead = call('ZRANGE', key, middle, middle)[1] }
    if goes_before(other, { tier = 0, since = 0, lead = lead }) then
      low = middle + 1
    else
      high = middle
    end
  end
  return low
end

local function place_of(lead)
  local record, number = find(line, lead)
  if not record or (record.due_at and record.due_at > now) then return { 1 } end
  local own = ended[lead] or due[lead] or { lead = lead, record = record, number = number }
  if not own.since then see(own) end
  local before_count = 0
  for other = 0, lane_count - 1 do
    local key, tier = line.base .. 'r' .. other, lane_of(line, other).tier
    if tier < own.tier then
      before_count = before_count + call('ZCARD', key)
    elseif tier == own.tier then
      -- Where it would stand in that lane, unless it stands there too early.
      local stands_at = call('ZSCORE', key, lead)
      before_count = before_count + count_before(key, own.since, lead)
      if stands_at and tonumber(stands_at) < own.since then before_count = before_count - 1 end
    end
  end
  for _, one in pairs(ended) do
    if one.lead ~= lead then
      local stale = { tier = one.tier, since = one.stale_since, lead = one.lead }
      if goes_before(stale, own) then before_count = before_count - 1 end
      if goes_before(one, own) then before_count = before_count + 1 end
    end
  end
  for _, one in pairs(due) do
    if one.lead ~= lead and goes_before(one, own) then before_count = before_count + 1 end
  end
  return { 1, before_count, ready_count }
end

-- A heap whose first is the best: the lanes, each at its next lead, and what stands elsewhere.
local heap = {}

local function sift_down(at)
  local one = heap[at]
  while true do
    local child = at * 2
    if child > #heap then break end
    if child < #heap and goes_before(heap[child + 1], heap[child]) then child = child + 1 end
    if not goes_before(heap[child], one) then break end
    heap[at] = heap[child]
    at = child
  end
  heap[at] = one
end

-- The next lead of a lane that is seen where it stands; nil if there is none.
local function next_in(number, at)
  while true do
    local head = call('ZRANGE', line.base .. 'r' .. number, at, at, 'WITHSCORES')
    if not head[1] then return nil end
    at = at + 1
    if not ended[head[1]] then
      local tier = lane_of(line, number).tier
      return { lead = head[1], since = tonumber(head[2]), tier = tier, number = number, next = at }
    end
  end
end

local function peek(limit)
  local answer = { 1, ready_count }
  for number = 0, lane_count - 1 do heap[#heap + 1] = next_in(number, 0) end
  for _, one in pairs(ended) do heap[#heap + 1] = one end
  for _, one in pairs(due) do heap[#heap + 1] = one end
  for at = math.floor(#heap / 2), 1, -1 do sift_down(at) end
  for _ = 1, limit do
    local one = heap[1]
    if not one then break end
    local record = one.record or find(line, one.lead)
    for _, value in ipairs({ one.tier, one.since, one.lead, record.head_start,
        record.promise or '' }) do
      answer[#answer + 1] = value
    end
    local following = one.next and next_in(one.number, one.next) or nil
    heap[1] = following or heap[#heap]
    if not following then heap[#heap] = nil end
    if heap[1] then sift_down(1) end
  end
  return answer
end

if ARGV[1] == 'peek' then return peek(tonumber(ARGV[3])) end
return place_of(ARGV[3])
