-- One generation of a queue's index: leads in line and leads that wait. Every script begins with this.
--
-- KEYS[1] is the queue's own hash; all its keys share the hash tag in it, so they live on one master.
-- A lead is eight bytes, most significant first, and never becomes a number here; instants and head
-- starts are doubles, which hold them exactly. Of each generation there are, behind its own prefix:
--   leads     hash: lead -> the number of its lane, and its record
--   waiting   sorted set: leads by the instant at which they fall due
--   ends      sorted set: ready leads by the instant at which their head start ends
--   names     hash: the text of a lane -> its number; `lanes`: the number -> group, hours, kind, text
--   groups    hash: tier and skills -> a number; `hours`: a name of hours -> a number
--   r<lane>   sorted set: ready leads of a lane by rank; f<lane>: its untouched leads by first touch
--   zone<n>   set: the lanes of hours n; `open`: a bit for each hours, set if its lanes are arranged
--   heads<g>  sorted set: the first of each arranged lane of group g; first<g>: by first touch
--   needs     hash: lead of a coarse lane -> its own lane's text; `mixed`: that text -> how many ready
--   keeps     sorted set: ready leads that are kept for a rep, by the instant until which they are
--   rooms     hash: rep for whom leads are kept, or were -> how many of them are ready
-- What is kept for a rep has a room of its own: the lanes have the same numbers there, and the names of
-- r, f, heads, first, open and mixed end in ':<rep>'. Instead of zones there is
--   own:<rep> set: the lanes that have ready leads in that room
-- A lane's *key* is its number, or in a room its number and what names end in there.
-- Members of r, heads and first end in fixed-width numbers, so that ties end at the lead.

local call, pack, unpack_bytes = redis.call, struct.pack, struct.unpack
local QUEUE = KEYS[1]
local DEBTS, FLIGHTS, DEADLINES = QUEUE .. ':debts', QUEUE .. ':flights', QUEUE .. ':deadlines'
local DROPPED = QUEUE .. ':dropped'
local LANE_COUNT_MAX, NO_HOURS, COARSE_SKILLS = 4096, 65535, '*'
local STEPS_PER_PULL_MAX = 1000
-- A record: flags, version, those of its rules and lanes, ready since, head start; then, by the flags: due at; times
-- released and the promise; until when it is kept (infinite: for good) and for whom; the end of the head
-- start, and what follows it.
local RECORD = '>Bi4i4i4dd'
local WAITS, UNTOUCHED, ENDS, KEPT = 1, 2, 4, 8

local function open_line(generation)
  local base = QUEUE .. ':' .. generation .. ':'
  return {
    generation = generation, base = base, leads = base .. 'leads', waiting = base .. 'waiting',
    ends = base .. 'ends', names = base .. 'names', lanes = base .. 'lanes', groups = base .. 'groups',
    hours = base .. 'hours', open = base .. 'open', needs = base .. 'needs', mixed = base .. 'mixed',
    left = base .. 'left', missed = base .. 'missed', keeps = base .. 'keeps', rooms = base .. 'rooms',
    -- What this script has looked up: lanes by key, lane numbers by text, first members of sets, which
    -- hours are arranged in each room.
    infos = {}, numbers = {}, firsts = {}, arranged = {},
  }
end

-- The line in use and the one that grows beside it; nil if there is none.
local function open_lines()
  local meta = call('HMGET', QUEUE, 'generation', 'rules', 'lane_version', 'staged')
  local line = meta[1] and open_line(meta[1]) or nil
  if line then
    line.rule_version, line.lane_version = tonumber(meta[2]), tonumber(meta[3] or nil) or 0
  end
  return line, meta[4] and open_line(meta[4]) or nil
end

local function has_flag(flags, flag) return math.floor(flags / flag) % 2 == 1 end

local function read_record(bytes)
  local record, at, flags = { bytes = bytes }, nil, nil
  flags, record.version, record.rule_version, record.lane_version, record.ready_since,
    record.head_start, at = unpack_bytes(RECORD, bytes)
  if has_flag(flags, WAITS) then record.due_at, at = unpack_bytes('>d', bytes, at) end
  if has_flag(flags, UNTOUCHED) then
    record.times_released, record.promise, at = unpack_bytes('>i4c8', bytes, at)
  end
  if has_flag(flags, KEPT) then
    record.kept_until, record.rep, at = unpack_bytes('>dBc0', bytes, at)
  end
  if has_flag(flags, ENDS) then
    record.ends_at, at = unpack_bytes('>d', bytes, at)
    record.later = string.sub(bytes, at)
  end
  return record
end

local function write_record(record)
  local flags = (record.due_at and WAITS or 0) + (record.promise and UNTOUCHED or 0)
    + (record.ends_at and ENDS or 0) + (record.rep and KEPT or 0)
  local parts = { pack(RECORD, flags, record.version, record.rule_version,
    record.lane_version, record.ready_since, record.head_start) }
  if record.due_at then parts[#parts + 1] = pack('>d', record.due_at) end
  if record.promise then
    parts[#parts + 1] = pack('>i4', record.times_released) .. record.promise
  end
  if record.rep then parts[#parts + 1] = pack('>dBc0', record.kept_until, #record.rep, record.rep) end
  if record.ends_at then parts[#parts + 1] = pack('>d', record.ends_at) .. record.later end
  record.bytes = table.concat(parts)
end

-- Whether a was ranked by something newer than b was: by the rules, then by the lanes.
local function is_ranked_later(a, b)
  if a.rule_version ~= b.rule_version then return a.rule_version > b.rule_version end
  return a.lane_version > b.lane_version
end

-- Whether a is newer than b: by the version, then by what they were ranked by.
local function is_newer(a, b)
  return a.version > b.version or (a.version == b.version and is_ranked_later(a, b))
end

-- Lets a head start be what it is at an instant. Answers whether it had ended before.
local function step_worth(record, now)
  local has_ended = false
  while record.ends_at and record.ends_at <= now do
    has_ended = true
    record.head_start, record.ends_at = unpack_bytes('>dd', record.later)
    record.later = string.sub(record.later, 17)
    -- An end that nothing follows is none; the last one is infinite.
    if record.later == '' or record.ends_at == math.huge then record.ends_at = nil end
  end
  if has_ended then write_record(record) end
  return has_ended
end

-- A lane's text: its tier, the length of the name of its hours, that name, its skills as JSON.
local function parts_of(text)
  local tier, length, at = unpack_bytes('>BI2', text)
  if length == NO_HOURS then return tier, nil, string.sub(text, at) end
  return tier, string.sub(text, at, at + length - 1), string.sub(text, at + length)
end

-- Whether a number's bit is set; the lowest bit of the first byte is number 0.
local function is_set(bits, number)
  local byte = string.byte(bits, math.floor(number / 8) + 1) or 0
  return math.floor(byte / 2 ^ (number % 8)) % 2 == 1
end

-- What names end in, in the room of who keeps a lead.
local function room_of(rep) return rep and ':' .. rep or '' end

-- The hours whose lanes are arranged in a room.
local function arranged(line, room)
  if not line.arranged[room] then line.arranged[room] = call('GET', line.open .. room) or '' end
  return line.arranged[room]
end

local function read_lane(line, key, info)
  local group, hours, kind, at = unpack_bytes('>I2I2B', info)
  local number, room = key, ''
  if type(key) == 'string' then number, room = string.match(key, '^(%d+)(.*)$') end
  local lane = { number = tonumber(number), room = room, group = group, hours = hours,
    tier = kind % 2, is_coarse = kind >= 2, text = string.sub(info, at) }
  lane.is_arranged = hours ~= NO_HOURS and is_set(arranged(line, room), hours)
  line.infos[key] = lane
  return lane
end

local function lane_of(line, key)
  if line.infos[key] then return line.infos[key] end
  return read_lane(line, key, call('HGET', line.lanes, (string.match(key, '^%d+'))))
end

-- The key of the lane of this number for a lead that has this record.
local function key_of(number, record)
  if record.rep and not record.due_at then return number .. room_of(record.rep) end
  return number
end

-- Looks many lanes up at once; those that are new stay unknown.
local function look_up(line, texts)
  if #texts == 0 then return end
  local numbers = {}
  for at, number in ipairs(call('HMGET', line.names, unpack(texts))) do
    if number then
      line.numbers[texts[at]] = tonumber(number)
      numbers[#numbers + 1] = tonumber(number)
    end
  end
  if #numbers == 0 then return end
  for at, info in ipairs(call('HMGET', line.lanes, unpack(numbers))) do
    read_lane(line, numbers[at], info)
  end
end

-- The number that a name has in a hash of names, given out in order.
local function number_of(key, name)
  local known = call('HGET', key, name)
  if known then return tonumber(known), false end
  local number = call('HLEN', key)
  call('HSET', key, name, number)
  return number, true
end

local function add_lane(line, text, tier, hours, skills)
  local is_coarse = skills == COARSE_SKILLS
  local number = call('HLEN', line.lanes)
  local group = number_of(line.groups, pack('B', tier) .. skills)
  local hours_number = hours and number_of(line.hours, hours) or NO_HOURS
  local info = pack('>I2I2B', group, hours_number, tier + (is_coarse and 2 or 0)) .. text
  call('HSET', line.lanes, number, info)
  call('HSET', line.names, text, number)
  if hours then call('SADD', line.base .. 'zone' .. hours_number, number) end
  return number
end

-- The number of a lane, which is added if it is new; a coarser one when there are too many.
local function intern(line, text)
  local number = line.numbers[text]
  if number then return number end
  number = tonumber(call('HGET', line.names, text) or nil)
  if not number then
    local tier, hours, skills = parts_of(text)
    if call('HLEN', line.lanes) < LANE_COUNT_MAX then
      number = add_lane(line, text, tier, hours, skills)
    else
      local coarser = pack('>BI2', tier, hours and #hours or NO_HOURS) .. (hours or '')
        .. COARSE_SKILLS
      number = tonumber(call('HGET', line.names, coarser) or nil)
        or add_lane(line, coarser, tier, hours, COARSE_SKILLS)
    end
  end
  line.numbers[text] = number
  return number
end

-- The first of a sorted set, and its score as Redis writes it; nil if it is empty.
local function first_of(key)
  local first = call('ZRANGE', key, 0, 0, 'WITHSCORES')
  return first[1], first[2]
end

-- The first of a group's lanes, kept until one of them changes.
local function head_of(line, key)
  local first = line.firsts[key]
  if not first then
    local member, score = first_of(key)
    first = member and { member = member, score = tonumber(score) } or {}
    line.firsts[key] = first
  end
  return first
end

-- Moves what one set of heads says of a lane from an old first to a new one.
local function move_head(line, key, suffix, old, new, score)
  if old then call('ZREM', key, old .. suffix) end
  if new then call('ZADD', key, score, new .. suffix) end
  line.firsts[key] = nil
end

-- Notes the heads of a lane before it changes, if anybody looks at them.
local function note(line, key)
  local lane = lane_of(line, key)
  if lane.is_arranged and not lane.noted then
    lane.noted = true
    lane.head, lane.score = first_of(line.base .. 'r' .. key)
    lane.first, lane.first_score = first_of(line.base .. 'f' .. key)
  end
  return lane
end

-- Puts the heads of a lane right after it changed.
local function settle(line, key)
  local lane = line.infos[key]
  if not lane.noted then return end
  local suffix, group = pack('>I2', lane.number), lane.group .. lane.room
  local head, score = first_of(line.base .. 'r' .. key)
  if head ~= lane.head or score ~= lane.score then
    move_head(line, line.base .. 'heads' .. group, suffix, lane.head, head, score)
    lane.head, lane.score = head, score
  end
  local first, first_score = first_of(line.base .. 'f' .. key)
  if first ~= lane.first or first_score ~= lane.first_score then
    move_head(line, line.base .. 'first' .. group, suffix, lane.first, first, first_score)
    lane.first, lane.first_score = first, first_score
  end
end

-- Adds a member to a sorted set: now, or with others of its set when the batch is written.
local function add(batch, key, score, member)
  if not batch then
    call('ZADD', key, score, member)
    return
  end
  local members = batch.sets[key]
  if not members then
    members = {}
    batch.sets[key] = members
  end
  members[#members + 1] = score
  members[#members + 1] = member
end

-- Notes that a lead came into a room, or left it: the sets of its lane have it no more by then.
local function enter_room(line, lane, lead, record)
  call('HINCRBY', line.rooms, record.rep, 1)
  call('SADD', line.base .. 'own' .. lane.room, lane.number)
  if record.kept_until < math.huge then call('ZADD', line.keeps, record.kept_until, lead) end
end

local function leave_room(line, lane, key, lead, record)
  call('HINCRBY', line.rooms, record.rep, -1)
  if call('EXISTS', line.base .. 'r' .. key) == 0 then
    call('SREM', line.base .. 'own' .. lane.room, lane.number)
  end
  if record.kept_until < math.huge then call('ZREM', line.keeps, lead) end
end

-- Puts a lead that is not there in line, or to those that wait; the caller settles the lane. Its own
-- lane's text is needed for a coarse lane alone. With a batch it is written with others of it.
local function put(line, key, lead, record, text, batch)
  local lane = note(line, key)
  local saved = pack('>I2', lane.number) .. record.bytes
  if batch then
    batch.leads[#batch.leads + 1] = lead
    batch.leads[#batch.leads + 1] = saved
  else
    call('HSET', line.leads, lead, saved)
  end
  if lane.is_coarse then call('HSET', line.needs, lead, text) end
  if record.due_at then
    add(batch, line.waiting, record.due_at, lead)
    return
  end
  if lane.is_coarse then call('HINCRBY', line.mixed .. lane.room, text, 1) end
  if record.rep then
    -- Leads that are kept are few, and a lane that empties meanwhile looks whether it does.
    batch = nil
    enter_room(line, lane, lead, record)
  end
  if record.ends_at then add(batch, line.ends, record.ends_at, lead) end
  add(batch, line.base .. 'r' .. key, record.ready_since - record.head_start, lead)
  if record.promise then
    add(batch, line.base .. 'f' .. key, record.times_released, record.promise .. lead)
  end
end

-- Writes what a batch has gathered.
local function write_batch(line, batch)
  if #batch.leads > 0 then call('HSET', line.leads, unpack(batch.leads)) end
  for key, members in pairs(batch.sets) do call('ZADD', key, unpack(members)) end
end

-- Reads what is kept of a lead in line: its record and the key of its lane.
local function read_saved(bytes)
  local number, at = unpack_bytes('>I2', bytes)
  local record = read_record(string.sub(bytes, at))
  return record, key_of(number, record)
end

-- What is known of a lead: its record and the key of its lane; nil if it is not here.
local function find(line, lead)
  local bytes = call('HGET', line.leads, lead)
  if not bytes then return nil end
  return read_saved(bytes)
end

-- Takes a lead that `find` found out; the caller settles the lane. Answers its own lane's text.
local function take(line, key, lead, record)
  local lane = note(line, key)
  local text = lane.text
  call('HDEL', line.leads, lead)
  if lane.is_coarse then
    text = call('HGET', line.needs, lead) or text
    call('HDEL', line.needs, lead)
    local mixed = line.mixed .. lane.room
    if not record.due_at and call('HINCRBY', mixed, text, -1) <= 0 then call('HDEL', mixed, text) end
  end
  if record.due_at then
    call('ZREM', line.waiting, lead)
    return text
  end
  if record.ends_at then call('ZREM', line.ends, lead) end
  call('ZREM', line.base .. 'r' .. key, lead)
  if record.promise then call('ZREM', line.base .. 'f' .. key, record.promise .. lead) end
  if record.rep then leave_room(line, lane, key, lead, record) end
  return text
end

-- Takes a lead out whoever it is. Answers its record and its own lane's text.
local function remove(line, lead)
  local record, key = find(line, lead)
  if not record then return nil end
  local text = take(line, key, lead, record)
  settle(line, key)
  return record, text
end

-- Puts a lead in by the text of its lane.
local function insert(line, text, lead, record)
  local key = key_of(intern(line, text), record)
  put(line, key, lead, record, text)
  settle(line, key)
end

-- Notes that a set names a lead of which there is no record: somebody took keys away.
local function note_loss(line) call('HSET', QUEUE, 'lost', line.generation) end

-- Whether who keeps a lead keeps it still.
local function is_kept(record, now) return record.rep and now < record.kept_until end

-- The first lead that fell due, or was kept until now, and the set that says so; nil: there is none.
local function next_due(line, now)
  for _, key in ipairs({ line.waiting, line.keeps }) do
    local lead, at = first_of(key)
    if lead and tonumber(at) <= now then return lead, key end
  end
end

-- The next instant at which a lead falls due, or is kept no more; nil: there is none.
local function next_at(line)
  local _, due_at = first_of(line.waiting)
  local _, kept_until = first_of(line.keeps)
  if not due_at or (kept_until and tonumber(kept_until) < tonumber(due_at)) then return kept_until end
  return due_at
end

-- Puts the first lead that fell due in line, or the first that is kept no more among those that are kept
-- for nobody. Answers whether there was one.
local function wake_next(line, now)
  local lead, due = next_due(line, now)
  if not lead then return false end
  local record, key = find(line, lead)
  -- One that is there for no reason leaves, or every call would find it.
  if not record or (due == line.keeps and (record.due_at or not record.rep)) then
    call('ZREM', due, lead)
    note_loss(line)
    return true
  end
  local text = take(line, key, lead, record)
  settle(line, key)
  record.due_at = nil
  if not is_kept(record, now) then record.rep = nil end
  write_record(record)
  key = key_of(lane_of(line, key).number, record)
  put(line, key, lead, record, text)
  settle(line, key)
  return true
end

-- Ranks a ready lead again if its head start ended. Answers whether it had.
local function end_worth(line, lead, record, key, now)
  if not record.ends_at or record.ends_at > now then return false end
  local lane = note(line, key)
  step_worth(record, now)
  call('HSET', line.leads, lead, pack('>I2', lane.number) .. record.bytes)
  if record.ends_at then
    call('ZADD', line.ends, record.ends_at, lead)
  else
    call('ZREM', line.ends, lead)
  end
  call('ZADD', line.base .. 'r' .. key, record.ready_since - record.head_start, lead)
  settle(line, key)
  return true
end

-- A lead in the air: the text of its lane, and its record.
local function write_flight(lead, text, record)
  call('HSET', FLIGHTS, lead, pack('>I2', #text) .. text .. record.bytes)
end

local function read_flight(bytes)
  if not bytes then return nil end
  local length, at = unpack_bytes('>I2', bytes)
  return read_record(string.sub(bytes, at + length)), string.sub(bytes, at, at + length - 1)
end

-- Ends a flight. Answers the record and the text of what was in the air; nil if nothing was.
local function land(lead)
  local record, text = read_flight(call('HGET', FLIGHTS, lead))
  if record then
    call('HDEL', FLIGHTS, lead)
    call('ZREM', DEADLINES, lead)
  end
  return record, text
end

-- Puts a lead back where it was, if it is still in flight.
local function put_back(line, lead)
  local record, text = land(lead)
  if record then insert(line, text, lead, record) end
end

-- Eight bytes for each of the leads that one argument names.
local function leads_of(bytes)
  local leads = {}
  for at = 1, #bytes, 8 do leads[#leads + 1] = string.sub(bytes, at, at + 7) end
  return leads
end
