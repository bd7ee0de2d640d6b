-- Counts what stands in the queue. ARGV: now, if what fell due by then is to be put in line first.
-- Answers generation, lanes, waiting, the next due instant, in flight, how many lanes have leads, the
-- number of each and its leads; then the texts of leads of coarse lanes, each with its leads.

local line = open_lines()
if not line then return {} end
local now = tonumber(ARGV[1])
for _ = 1, now and STEPS_PER_PULL_MAX or 0 do
  if not wake_next(line, now) then break end
end
local lane_count = call('HLEN', line.lanes)
local _, due_at = first_of(line.waiting)
local answer = { line.generation, lane_count, call('ZCARD', line.waiting), due_at or false,
  call('HLEN', FLIGHTS), 0 }
for number = 0, lane_count - 1 do
  local size = call('ZCARD', line.base .. 'r' .. number)
  if size > 0 then
    answer[6] = answer[6] + 1
    answer[#answer + 1] = number
    answer[#answer + 1] = size
  end
end
for _, value in ipairs(call('HGETALL', line.mixed)) do answer[#answer + 1] = value end
return answer
