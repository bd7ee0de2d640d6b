-- Takes changes into the line in use, or into the one that grows beside it; each lead at most once.
--
-- ARGV: 'use', or the generation of the one that grows; how many lanes; their texts; then for each change the lead, the place of
-- its lane among them (0: it leaves), and its record (or the version by which it left).
-- Answers generation, lanes, changes made, whether one was ranked by something older, and whether there
-- is a line to take them in.

local line, staged = open_lines()
local is_staged = ARGV[1] ~= 'use'
local target = line
if is_staged then target = staged and staged.generation == ARGV[1] and staged or nil end
-- Another's is none of the caller's.
if is_staged and not target then return { '', 0, 0, 0, 0 } end

local lane_count = tonumber(ARGV[2])
local first = 3 + lane_count
local leads, flights, batch = {}, {}, { leads = {}, sets = {} }
for at = first, #ARGV, 3 do leads[#leads + 1] = ARGV[at] end
local has_flights = not is_staged and call('EXISTS', FLIGHTS) == 1
local has_left = is_staged and staged and call('EXISTS', staged.left) == 1
local has_missed = staged and call('EXISTS', staged.missed) == 1
local known = target and #leads > 0 and call('HMGET', target.leads, unpack(leads)) or {}
if has_flights then flights = call('HMGET', FLIGHTS, unpack(leads)) end
if target then look_up(target, { unpack(ARGV, 3, first - 1) }) end
local touched, change_count, is_overtaken = {}, 0, 0

-- The newest that was said to the staged line about a lead; nil: nothing.
local function staged_version(lead)
  local record = find(staged, lead)
  local version = record and record.version
  local left = tonumber(call('HGET', staged.left, lead) or nil)
  if not version or (left and left > version) then version = left end
  return version
end

-- Notes for the staged line that a lead changed in the one in use.
local function miss(lead, version)
  local heard = staged_version(lead)
  if heard and heard >= version then return end
  local missed = tonumber(call('HGET', staged.missed, lead) or nil)
  if not missed or missed < version then call('HSET', staged.missed, lead, version) end
end

local function lane_number(place)
  local text = ARGV[2 + place]
  return intern(target, text), text
end

-- What this line knows of the lead; `in_flight` if it is in the air.
local function known_of(place, lead)
  if flights[place] then
    local record = read_flight(flights[place])
    record.in_flight = true
    return record
  end
  if known[place] then return read_saved(known[place]) end
end

local function take_known(lead, record, key)
  if record.in_flight then
    land(lead)
  else
    take(target, key, lead, record)
    touched[key] = true
  end
end

local function put_change(place, lead, lane, record)
  local old, old_key = known_of(place, lead)
  if old and not is_newer(record, old) then return false end
  if has_left then
    local left = tonumber(call('HGET', target.left, lead) or nil)
    if left and left >= record.version then return false end
    if left then call('HDEL', target.left, lead) end
  end
  if old and old.in_flight and old.version == record.version then
    -- The same lead, ranked anew: whoever pulled it may still get it.
    write_flight(lead, ARGV[2 + lane], record)
    return true
  end
  if old then take_known(lead, old, old_key) end
  local number, text = lane_number(lane)
  local key = key_of(number, record)
  put(target, key, lead, record, text, batch)
  touched[key] = true
  return true
end

local function remove_change(place, lead, version)
  local old, key = known_of(place, lead)
  if is_staged then
    local left = tonumber(call('HGET', target.left, lead) or nil)
    if (old and old.version > version) or (left and left > version) then return false end
    if old then take_known(lead, old, key) end
    call('HSET', target.left, lead, version)
    return true
  end
  if not old or old.version > version then return false end
  take_known(lead, old, key)
  return true
end

for place, lead in ipairs(leads) do
  local at = first + (place - 1) * 3
  local lane, body = tonumber(ARGV[at + 1]), ARGV[at + 2]
  local record = lane > 0 and read_record(body) or nil
  local version = record and record.version or tonumber(body)
  local is_change = false
  if target then
    if record then
      is_change = put_change(place, lead, lane, record)
    else
      is_change = remove_change(place, lead, version)
    end
  end
  if is_change then
    change_count = change_count + 1
    if record and not is_staged and is_ranked_later(line, record) then is_overtaken = 1 end
  end
  if is_staged then
    if has_missed then
      local missed = tonumber(call('HGET', staged.missed, lead) or nil)
      if missed and missed <= version then call('HDEL', staged.missed, lead) end
    end
  elseif staged and (is_change or not record or not line) then
    miss(lead, version)
  end
end
if target then write_batch(target, batch) end
for key in pairs(touched) do settle(target, key) end

if not target then return { '', 0, 0, 0, 0 } end
return { target.generation, call('HLEN', target.lanes), change_count, is_overtaken, 1 }
