-- Chooses what to serve, and takes it in flight.
--
-- ARGV: now; rep; reserve_after; how many; the deadline of a flight; generation and number of lanes
-- that the caller knows; bits of the hours that are open; groups of callbacks and of others that the
-- rep's skills cover, two bytes each; leads to pass over; the rep's skills as JSON.
-- Answers generation, lanes, the versions of its rules and lanes, whether it is unfinished, and seven values for each candidate. A
-- caller who does not know all lanes gets the first two alone, and nothing is done.

local UNSKILLED_PER_PULL_MAX = 64
local LANES_ARRANGED_MAX = 1000

local line = open_lines()
if not line then return {} end
local lane_count = call('HLEN', line.lanes)
if line.generation ~= ARGV[6] or lane_count ~= tonumber(ARGV[7]) then
  return { line.generation, lane_count }
end
local now, rep, reserve_after = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3])
local count, deadline = tonumber(ARGV[4]), ARGV[5]
local answer = { line.generation, lane_count, line.rule_version, line.lane_version, 0 }
local steps, aside, unskilled_count, has_skill = STEPS_PER_PULL_MAX, {}, 0, nil

local function unfinished()
  answer[5] = 1
  return answer
end

local function groups_of(bytes)
  local groups = {}
  for at = 1, #bytes, 2 do groups[#groups + 1] = unpack_bytes('>I2', bytes, at) end
  return groups
end

-- Opens or closes a lane: puts its heads among those of its group, or takes them out.
local function turn_lane(key, is_open)
  local lane = lane_of(line, key)
  local suffix = pack('>I2', lane.number)
  for set, heads in pairs({ r = 'heads', f = 'first' }) do
    local member, score = first_of(line.base .. set .. key)
    local among = line.base .. heads .. lane.group .. lane.room
    if member and is_open then call('ZADD', among, score, member .. suffix) end
    if member and not is_open then call('ZREM', among, member .. suffix) end
    line.firsts[among] = nil
  end
  line.infos[key] = nil
end

-- The keys of the lanes of each hours that have leads in a room.
local function lanes_in(room)
  local of_hours = {}
  for _, number in ipairs(call('SMEMBERS', line.base .. 'own' .. room)) do
    local key = number .. room
    local hours = lane_of(line, key).hours
    of_hours[hours] = of_hours[hours] or {}
    table.insert(of_hours[hours], key)
  end
  return of_hours
end

-- The keys of all lanes of some hours.
local function lanes_of(hours)
  local keys = {}
  for at, number in ipairs(call('SMEMBERS', line.base .. 'zone' .. hours)) do
    keys[at] = tonumber(number)
  end
  return keys
end

-- Arranges the lanes of a room by the hours that are open now, all lanes of some hours at a time. Answers
-- whether it came to the end.
local function arrange(wanted, room)
  local bits, turned_count = arranged(line, room), 0
  if bits == wanted then return true end
  local own = room ~= '' and lanes_in(room) or nil
  local bytes = { string.byte(bits .. string.rep('\0', #wanted - #bits), 1, -1) }
  local is_done = true
  for at = 1, #bytes do
    for bit_at = 0, 7 do
      local number = (at - 1) * 8 + bit_at
      local is_open = is_set(wanted, number)
      if is_open ~= is_set(bits, number) then
        if turned_count >= LANES_ARRANGED_MAX then
          is_done = false
        else
          for _, key in ipairs(own and (own[number] or {}) or lanes_of(number)) do
            turn_lane(key, is_open)
            turned_count = turned_count + 1
          end
          bytes[at] = bytes[at] + (is_open and 1 or -1) * 2 ^ bit_at
        end
      end
    end
  end
  for at = #bytes, 1, -1 do
    if bytes[at] ~= 0 then break end
    bytes[at] = nil
  end
  line.arranged[room] = string.char(unpack(bytes))
  call('SET', line.open .. room, line.arranged[room])
  return is_done
end

-- Whether one of two members of equal score goes first: byte by byte, whatever the server's locale.
local function goes_first(a, b)
  for at = 1, #a do
    local x, y = string.byte(a, at), string.byte(b, at)
    if x ~= y then return x < y end
  end
  return false
end

-- The best of the heads of these groups in some rooms: the lead, and the key of its lane.
local function best(groups, heads, lead_at, rooms)
  local chosen, chosen_room
  for _, room in ipairs(rooms) do
    for _, group in ipairs(groups) do
      local key = line.base .. heads .. group .. room
      local head = head_of(line, key)
      if head.member and (not chosen or head.score < chosen.score
          or (head.score == chosen.score and goes_first(head.member, chosen.member))) then
        chosen, chosen_room, line.chosen_from = head, room, key
      end
    end
  end
  if not chosen then return nil end
  line.chosen = chosen.member
  local number = unpack_bytes('>I2', chosen.member, lead_at + 8)
  return string.sub(chosen.member, lead_at, lead_at + 7),
    chosen_room == '' and number or number .. chosen_room
end

local function has_needed(lead, key)
  if not lane_of(line, key).is_coarse then return true end
  local text = call('HGET', line.needs, lead)
  if not text then return true end
  if not has_skill then
    has_skill = {}
    for _, skill in ipairs(cjson.decode(ARGV[12])) do has_skill[skill] = true end
  end
  local _, _, skills = parts_of(text)
  for _, skill in ipairs(cjson.decode(skills)) do
    if not has_skill[skill] then return false end
  end
  return true
end

local function without_coarse(groups)
  local exact = {}
  for _, group in ipairs(groups) do
    if not line.coarse_groups[group] then exact[#exact + 1] = group end
  end
  return exact
end

local function note_coarse_groups()
  line.coarse_groups = {}
  for tier = 0, 1 do
    local group = call('HGET', line.groups, pack('B', tier) .. COARSE_SKILLS)
    if group then line.coarse_groups[tonumber(group)] = true end
  end
end

while next_due(line, now) do
  if steps == 0 then return unfinished() end
  wake_next(line, now)
  steps = steps - 1
end
if not arrange(ARGV[8], '') then return unfinished() end
-- The rep's own room, if anything is kept there.
local common, own = { '' }, {}
if (tonumber(call('HGET', line.rooms, rep) or nil) or 0) > 0 then
  own = { room_of(rep) }
  if not arrange(ARGV[8], own[1]) then return unfinished() end
end
local all = { '', own[1] }

local callbacks, others = groups_of(ARGV[9]), groups_of(ARGV[10])
local passed = {}
for _, lead in ipairs(leads_of(ARGV[11])) do passed[lead] = true end
local debt = tonumber(call('HGET', DEBTS, rep) or nil) or reserve_after
local CALLBACK, FIRST_TOUCH, ORDINARY = 0, 1, 2

local function first_lead()
  -- Own callbacks first, however long others wait.
  local lead, key = best(callbacks, 'heads', 1, own)
  if not lead then lead, key = best(callbacks, 'heads', 1, common) end
  if lead then return lead, key, CALLBACK end
  if debt >= reserve_after then
    lead, key = best(others, 'first', 9, all)
    if lead then return lead, key, FIRST_TOUCH end
  end
  lead, key = best(others, 'heads', 1, all)
  return lead, key, ORDINARY
end

local function set_aside(lead, record, key)
  local text = take(line, key, lead, record)
  settle(line, key)
  aside[#aside + 1] = { lead = lead, record = record, key = key, text = text }
end

local function fly(lead, record, key, order)
  local text = take(line, key, lead, record)
  settle(line, key)
  write_flight(lead, text, record)
  call('ZADD', DEADLINES, deadline, lead)
  for _, value in ipairs({ lead, record.version, order, lane_of(line, key).tier,
      record.ready_since - record.head_start, record.head_start, record.promise or '' }) do
    answer[#answer + 1] = value
  end
end

-- A head without a record. It leaves, or every pull would find it.
local function forget(lead, key)
  note_loss(line)
  local member = string.sub(line.chosen, 1, -3)
  note(line, key)
  call('ZREM', line.base .. 'r' .. key, lead)
  call('ZREM', line.base .. 'f' .. key, member)
  settle(line, key)
  call('ZREM', line.chosen_from, line.chosen)
  line.firsts[line.chosen_from] = nil
end

local chosen_count = 0
while chosen_count < count do
  local lead, key, order = first_lead()
  if not lead then break end
  local record = find(line, lead)
  if not record then
    if steps == 0 then answer[5] = 1 break end
    forget(lead, key)
    steps = steps - 1
  elseif passed[lead] then
    set_aside(lead, record, key)
  elseif not has_needed(lead, key) then
    set_aside(lead, record, key)
    unskilled_count = unskilled_count + 1
    if unskilled_count == UNSKILLED_PER_PULL_MAX then
      note_coarse_groups()
      callbacks, others = without_coarse(callbacks), without_coarse(others)
    end
  elseif end_worth(line, lead, record, key, now) then
    -- The end of a head start only demotes: a first that has not ended is the first.
    if steps == 0 then answer[5] = 1 break end
    steps = steps - 1
  else
    fly(lead, record, key, order)
    chosen_count = chosen_count + 1
  end
end
for _, one in ipairs(aside) do
  put(line, one.key, one.lead, one.record, one.text)
  settle(line, one.key)
end
return answer
