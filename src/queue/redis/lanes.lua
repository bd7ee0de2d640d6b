-- The lanes of the line in use. ARGV: the generation that is known, and how many lanes of it.
-- Answers generation, from which lane on, and each lane from there on: group, hours, kind, text.

local line = open_lines()
if not line then return {} end
local from, lane_count = tonumber(ARGV[2]), call('HLEN', line.lanes)
-- Who knows more than there is, of a line that is whole, knows lanes of before it went back.
local has_gone_back = from > lane_count and call('HLEN', line.names) == lane_count
if line.generation ~= ARGV[1] or has_gone_back then from = 0 end
local answer = { line.generation, from }
for number = from, lane_count - 1 do
  answer[#answer + 1] = call('HGET', line.lanes, number)
end
return answer
