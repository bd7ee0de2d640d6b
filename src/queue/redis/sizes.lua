-- Counts what stands in the queue. ARGV: now, if what fell due by then is to be put in line first; the rep
-- whose room is counted by lane, if not all rooms are.
-- Answers generation, lanes, waiting, the next due instant, in flight, how many are kept in all; how many
-- lanes have leads, the number of each and its leads; how many lanes of rooms have leads, the rep, the
-- number of each and its leads; then the texts of leads of coarse lanes, each with its leads.

local line = open_lines()
if not line then return {} end
local now, asked = tonumber(ARGV[1]), ARGV[2]
for _ = 1, now and STEPS_PER_PULL_MAX or 0 do
  if not wake_next(line, now) then break end
end
local lane_count, kept_count = call('HLEN', line.lanes), 0
for _, count in ipairs(call('HVALS', line.rooms)) do kept_count = kept_count + tonumber(count) end
local answer = { line.generation, lane_count, call('ZCARD', line.waiting), next_at(line) or false,
  call('HLEN', FLIGHTS), kept_count, 0 }

local function append(values)
  for _, value in ipairs(values) do answer[#answer + 1] = value end
end

for number = 0, lane_count - 1 do
  local size = call('ZCARD', line.base .. 'r' .. number)
  if size > 0 then
    answer[7] = answer[7] + 1
    append({ number, size })
  end
end

local count_at = #answer + 1
answer[count_at] = 0
for _, rep in ipairs(asked ~= '' and { asked } or call('HKEYS', line.rooms)) do
  local room = room_of(rep)
  for _, number in ipairs(call('SMEMBERS', line.base .. 'own' .. room)) do
    answer[count_at] = answer[count_at] + 1
    append({ rep, number, call('ZCARD', line.base .. 'r' .. number .. room) })
  end
end
append(call('HGETALL', line.mixed))
if asked ~= '' then append(call('HGETALL', line.mixed .. room_of(asked))) end
return answer
