-- The lanes of the line in use. ARGV: the generation that is known, and how many lanes of it.
-- Answers generation, from which lane on, and each lane from there on: group, hours, kind, text.

local line = open_lines()
if not line then return {} end
local from = line.generation == ARGV[1] and tonumber(ARGV[2]) or 0
local answer = { line.generation, from }
for number = from, call('HLEN', line.lanes) - 1 do
  answer[#answer + 1] = call('HGET', line.lanes, number)
end
return answer
