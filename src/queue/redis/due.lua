-- The rules and lanes that the line in use was ranked by, and the next instant at which a lead falls due.
--
-- ARGV, if any: how many calls came before. The line is looked over then: Redis may have been told to
-- make room and have taken keys away, and what is lost does not come back by itself. A line that lacks
-- something is dropped, so that it is built again. Of many lanes only every so manieth call looks at
-- all, and of many rooms each call at one, so that the work of a call is bounded on average.

local LANES_A_CALL, NUMBERS_AT_ONCE = 128, 1000

local line = open_lines()
if not line then return { false } end

-- Whether a ready lead is where its record says that it is.
local function is_placed(key, lane, lead)
  local record, own_key = find(line, lead)
  if not record or own_key ~= key or record.due_at then return false end
  if record.ends_at and not call('ZSCORE', line.ends, lead) then return false end
  local first = line.base .. 'f' .. key
  if record.promise and not call('ZSCORE', first, record.promise .. lead) then return false end
  local has_end = record.rep and record.kept_until < math.huge
  if has_end and not call('ZSCORE', line.keeps, lead) then return false end
  if not lane.is_coarse then return true end
  local text = call('HGET', line.needs, lead)
  return text and call('HEXISTS', line.mixed .. lane.room, text) == 1
end

-- Whether the leads of a lane are where they belong, as far as a few of them say. Notes its heads, and
-- answers how many leads it has.
local function count_placed(key, lane, heads)
  local leads = line.base .. 'r' .. key
  local size = call('ZCARD', leads)
  if size == 0 then return 0 end
  -- The first, and one that it happens to be: another call looks at others.
  local head = first_of(leads)
  if not is_placed(key, lane, head) then return nil end
  if not is_placed(key, lane, call('ZRANDMEMBER', leads)) then return nil end
  if lane.is_arranged then
    local group = tostring(lane.group)
    heads[group] = (heads[group] or 0) + 1
    if call('EXISTS', line.base .. 'f' .. key) == 1 then
      local first = 'first' .. group
      heads[first] = (heads[first] or 0) + 1
    end
  end
  return size
end

-- Whether there are as many heads in a room as were noted.
local function are_heads_whole(heads, room)
  for group = 0, call('HLEN', line.groups) - 1 do
    local first = 'first' .. group
    if call('ZCARD', line.base .. 'heads' .. group .. room) ~= (heads[tostring(group)] or 0) then
      return false
    end
    if call('ZCARD', line.base .. first .. room) ~= (heads[first] or 0) then return false end
  end
  return true
end

-- Whether a lane is numbered as its text says. Notes its heads, and answers how many leads it has.
local function size_of(number, lane, heads)
  local _, hours, skills = parts_of(lane.text)
  local group = call('HGET', line.groups, pack('B', lane.tier) .. skills)
  if tonumber(group or nil) ~= lane.group then return nil end
  if hours then
    if tonumber(call('HGET', line.hours, hours) or nil) ~= lane.hours then return nil end
    if call('SISMEMBER', line.base .. 'zone' .. lane.hours, number) == 0 then return nil end
  end
  return count_placed(number, lane, heads)
end

-- Whether a room has all of the leads that are counted there.
local function is_room_whole(rep)
  local room, lead_count, heads = room_of(rep), 0, {}
  for _, number in ipairs(call('SMEMBERS', line.base .. 'own' .. room)) do
    local key = number .. room
    local size = count_placed(key, lane_of(line, key), heads)
    -- A lane that has none is not among them.
    if not size or size == 0 then return false end
    lead_count = lead_count + size
  end
  return lead_count == tonumber(call('HGET', line.rooms, rep)) and are_heads_whole(heads, room)
end

local function read_lanes(lane_count)
  for from = 0, lane_count - 1, NUMBERS_AT_ONCE do
    local numbers = {}
    for number = from, math.min(from + NUMBERS_AT_ONCE, lane_count) - 1 do
      numbers[#numbers + 1] = number
    end
    for at, info in ipairs(call('HMGET', line.lanes, unpack(numbers))) do
      if not info then return false end
      read_lane(line, numbers[at], info)
    end
  end
  return true
end

local function are_lanes_whole(lane_count)
  local lead_count, heads = call('ZCARD', line.waiting), {}
  if not read_lanes(lane_count) then return false end
  for number = 0, lane_count - 1 do
    local size = size_of(number, line.infos[number], heads)
    if not size then return false end
    lead_count = lead_count + size
  end
  for _, count in ipairs(call('HVALS', line.rooms)) do lead_count = lead_count + tonumber(count) end
  return lead_count == call('HLEN', line.leads) and are_heads_whole(heads, '')
end

local are_flights_whole = call('HLEN', FLIGHTS) == call('ZCARD', DEADLINES)

local function is_whole(call_count)
  if not are_flights_whole or call('HGET', QUEUE, 'lost') == line.generation then return false end
  local lane_count = call('HLEN', line.lanes)
  if call('HLEN', line.names) ~= lane_count then return false end
  if call_count % math.ceil((lane_count + 1) / LANES_A_CALL) == 0
      and not are_lanes_whole(lane_count) then
    return false
  end
  local reps = call('HKEYS', line.rooms)
  return #reps == 0 or is_room_whole(reps[call_count % #reps + 1])
end

if ARGV[1] and not is_whole(tonumber(ARGV[1])) then
  -- Whatever is left of it is cleared away lane by lane, which needs to know how many there were.
  for number = call('HLEN', line.lanes), call('HLEN', line.names) - 1 do
    call('HSETNX', line.lanes, number, '')
  end
  if not are_flights_whole then call('UNLINK', FLIGHTS, DEADLINES) end
  call('HDEL', QUEUE, 'generation', 'rules', 'lane_version', 'lost')
  call('RPUSH', DROPPED, line.generation)
  return { false, 1 }
end
return { line.rule_version, line.lane_version, next_at(line) or false }
