-- A slice of what the line in use holds. ARGV: where to begin; about how many.
-- Answers where the next begins, and each lead with its version.

local line = open_lines()
if not line then return {} end
local scanned = call('HSCAN', line.leads, ARGV[1], 'COUNT', ARGV[2])
local answer = { scanned[1] }
for at = 1, #scanned[2], 2 do
  answer[#answer + 1] = scanned[2][at]
  answer[#answer + 1] = read_record(string.sub(scanned[2][at + 1], 3)).version
end
if ARGV[1] == '0' then
  local flights = call('HGETALL', FLIGHTS)
  for at = 1, #flights, 2 do
    answer[#answer + 1] = flights[at]
    answer[#answer + 1] = read_flight(flights[at + 1]).version
  end
end
return answer
