-- What people read of a line: its order from the front, and a lead's place.
--
-- ARGV: 'peek', now and how many; or 'place', now and a lead. Nothing is moved for it: what fell due,
-- ended or was kept until now is seen as it will be, as far as MOVED_MAX of each kind.
-- Answers 'peek': how many are ready, then tier, virtual since, lead, head start, promise and keeper of
-- each; 'place': how many go before it and how many there are among which it stands, or nothing.

local MOVED_MAX = 10000

local line = open_lines()
if not line then return { 0 } end
local now = tonumber(ARGV[2])

-- The keys of all lanes that may have leads.
local keys = {}
for number = 0, call('HLEN', line.lanes) - 1 do keys[#keys + 1] = number end
for _, rep in ipairs(call('HKEYS', line.rooms)) do
  local room = room_of(rep)
  for _, number in ipairs(call('SMEMBERS', line.base .. 'own' .. room)) do
    keys[#keys + 1] = number .. room
  end
end

-- How a lead is seen now: where it stands, if it does, and where it will.
local function see(record, key, lead)
  local lane = lane_of(line, key)
  local one = { lead = lead, record = record, tier = lane.tier }
  if not record.due_at then
    one.stands = { lead = lead, tier = lane.tier, since = record.ready_since - record.head_start,
      room = lane.room }
  end
  step_worth(record, now)
  one.since = record.ready_since - record.head_start
  one.room = is_kept(record, now) and room_of(record.rep) or ''
  return one
end

-- Leads that are seen otherwise than they stand, by lead.
local moved, due_count = {}, call('ZCOUNT', line.waiting, '-inf', now)
for _, set in ipairs({ line.ends, line.keeps, line.waiting }) do
  for _, lead in ipairs(call('ZRANGEBYSCORE', set, '-inf', now, 'LIMIT', 0, MOVED_MAX)) do
    local record, key = find(line, lead)
    if record then moved[lead] = see(record, key, lead) end
  end
end

local function goes_before(a, b)
  if a.tier ~= b.tier then return a.tier < b.tier end
  if a.since ~= b.since then return a.since < b.since end
  for at = 1, 8 do
    local x, y = string.byte(a.lead, at), string.byte(b.lead, at)
    if x ~= y then return x < y end
  end
  return false
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
  local record, key = find(line, lead)
  if not record or (record.due_at and record.due_at > now) then return { 1 } end
  local own = moved[lead] or see(record, key, lead)
  -- Whether who may take it is offered what is in a room; and whether that comes before it by its rank:
  -- own callbacks come before all others.
  local function is_counted(room) return room == '' or room == own.room end
  local function is_ranked(room) return room == own.room or own.tier ~= 0 end
  -- Of what fell due beyond those that are looked at, nobody can say more than that it did.
  local before_count, ready_count = 0, math.max(due_count - MOVED_MAX, 0)
  local function count(one, by)
    if not is_counted(one.room) then return end
    ready_count = ready_count + by
    if is_ranked(one.room) and goes_before(one, own) then before_count = before_count + by end
  end
  for _, other in ipairs(keys) do
    local set, lane = line.base .. 'r' .. other, lane_of(line, other)
    if is_counted(lane.room) then
      local size = call('ZCARD', set)
      ready_count = ready_count + size
      if not is_ranked(lane.room) then size = 0 end
      if lane.tier < own.tier then
        before_count = before_count + size
      elseif lane.tier == own.tier and size > 0 then
        before_count = before_count + count_before(set, own.since, lead)
      end
    end
  end
  for _, one in pairs(moved) do
    if one.stands then count(one.stands, -1) end
    count(one, 1)
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
local function next_in(key, at)
  while true do
    local head = call('ZRANGE', line.base .. 'r' .. key, at, at, 'WITHSCORES')
    if not head[1] then return nil end
    at = at + 1
    if not moved[head[1]] then
      local tier = lane_of(line, key).tier
      return { lead = head[1], since = tonumber(head[2]), tier = tier, key = key, next = at }
    end
  end
end

local function peek(limit)
  local answer = { 1, due_count }
  for _, key in ipairs(keys) do
    answer[2] = answer[2] + call('ZCARD', line.base .. 'r' .. key)
    heap[#heap + 1] = next_in(key, 0)
  end
  for _, one in pairs(moved) do heap[#heap + 1] = one end
  for at = math.floor(#heap / 2), 1, -1 do sift_down(at) end
  for _ = 1, limit do
    local one = heap[1]
    if not one then break end
    local record = one.record or find(line, one.lead)
    for _, value in ipairs({ one.tier, one.since, one.lead, record.head_start,
        record.promise or '', is_kept(record, now) and record.rep or '' }) do
      answer[#answer + 1] = value
    end
    local following = one.next and next_in(one.key, one.next) or nil
    heap[1] = following or heap[#heap]
    if not following then heap[#heap] = nil end
    if heap[1] then sift_down(1) end
  end
  return answer
end

if ARGV[1] == 'peek' then return peek(tonumber(ARGV[3])) end
return place_of(ARGV[3])
