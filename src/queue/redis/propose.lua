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
local function turn_lane(number, is_open)
  local lane = lane_of(line, number)
  local suffix = pack('>I2', number)
  for set, heads in pairs({ r = 'heads', f = 'first' }) do
    local member, score = first_of(line.base .. set .. number)
    local key = line.base .. heads .. lane.group
    if member and is_open then call('ZADD', key, score, member .. suffix) end
    if member and not is_open then call('ZREM', key, member .. suffix) end
    line.firsts[key] = nil
  end
  line.infos[number] = nil
end

-- Arranges lanes by the hours that are open now, all lanes of some hours at a time. Answers whether
-- it came to the end.
local function arrange(wanted)
  local bits, turned_count = arranged(line), 0
  if bits == wanted then return true end
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
          for _, lane in ipairs(call('SMEMBERS', line.base .. 'zone' .. number)) do
            turn_lane(tonumber(lane), is_open)
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
  line.arranged = string.char(unpack(bytes))
  call('SET', line.open, line.arranged)
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

-- The best of the heads of these groups: the lead, and its lane.
local function best(groups, heads, lead_at)
  local chosen
  for _, group in ipairs(groups) do
    local key = line.base .. heads .. group
    local head = head_of(line, key)
    if head.member and (not chosen or head.score < chosen.score
        or (head.score == chosen.score and goes_first(head.member, chosen.member))) then
      chosen, line.chosen_from = head, key
    end
  end
  if not chosen then return nil end
  line.chosen = chosen.member
  return string.sub(chosen.member, lead_at, lead_at + 7),
    unpack_bytes('>I2', chosen.member, lead_at + 8)
end

local function has_needed(lead, number)
  if not lane_of(line, number).is_coarse then return true end
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

while true do
  local lead, due_at = first_of(line.waiting)
  if not lead or tonumber(due_at) > now then break end
  if steps == 0 then return unfinished() end
  wake_next(line, now)
  steps = steps - 1
end
if not arrange(ARGV[8]) then return unfinished() end

local callbacks, others = groups_of(ARGV[9]), groups_of(ARGV[10])
local passed = {}
for _, lead in ipairs(leads_of(ARGV[11])) do passed[lead] = true end
local debt = tonumber(call('HGET', DEBTS, rep) or nil) or reserve_after
local CALLBACK, FIRST_TOUCH, ORDINARY = 0, 1, 2

local function first_lead()
  local lead, number = best(callbacks, 'heads', 1)
  if lead then return lead, number, CALLBACK end
  if debt >= reserve_after then
    lead, number = best(others, 'first', 9)
    if lead then return lead, number, FIRST_TOUCH end
  end
  lead, number = best(others, 'heads', 1)
  return lead, number, ORDINARY
end

local function set_aside(lead, record, number)
  local text = take(line, number, lead, record)
  settle(line, number)
  aside[#aside + 1] = { lead = lead, record = record, number = number, text = text }
end

local function fly(lead, record, number, order)
  local text = take(line, number, lead, record)
  settle(line, number)
  write_flight(lead, text, record)
  call('ZADD', DEADLINES, deadline, lead)
  for _, value in ipairs({ lead, record.version, order, lane_of(line, number).tier,
      record.ready_since - record.head_start, record.head_start, record.promise or '' }) do
    answer[#answer + 1] = value
  end
end

-- A head without a record. It leaves, or every pull would find it.
local function forget(lead, number)
  note_loss(line)
  local member = string.sub(line.chosen, 1, -3)
  note(line, number)
  call('ZREM', line.base .. 'r' .. number, lead)
  call('ZREM', line.base .. 'f' .. number, member)
  settle(line, number)
  call('ZREM', line.chosen_from, line.chosen)
  line.firsts[line.chosen_from] = nil
end

local chosen_count = 0
while chosen_count < count do
  local lead, number, order = first_lead()
  if not lead then break end
  local record = find(line, lead)
  if not record then
    if steps == 0 then answer[5] = 1 break end
    forget(lead, number)
    steps = steps - 1
  elseif passed[lead] then
    set_aside(lead, record, number)
  elseif not has_needed(lead, number) then
    set_aside(lead, record, number)
    unskilled_count = unskilled_count + 1
    if unskilled_count == UNSKILLED_PER_PULL_MAX then
      note_coarse_groups()
      callbacks, others = without_coarse(callbacks), without_coarse(others)
    end
  elseif end_worth(line, lead, record, number, now) then
    -- The end of a head start only demotes: a first that has not ended is the first.
    if steps == 0 then answer[5] = 1 break end
    steps = steps - 1
  else
    fly(lead, record, number, order)
    chosen_count = chosen_count + 1
  end
end
for _, one in ipairs(aside) do
  put(line, one.number, one.lead, one.record, one.text)
  settle(line, one.number)
end
return answer
