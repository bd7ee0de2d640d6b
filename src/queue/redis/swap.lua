-- Puts the staged line in use, unless it is behind. ARGV: how many leads an answer names at most; the
-- line's generation; by how many leads it may be behind all the same.
-- Answers 0: it is not this one that is on its way; 1: done, and the leads that it missed, if it may;
-- or 2 and the leads that it missed.

local line, staged = open_lines()
if line and line.generation == ARGV[2] then return { 1 } end
if not staged or staged.generation ~= ARGV[2] then return { 0 } end
local missed_count = call('HLEN', staged.missed)
local answer = { missed_count > tonumber(ARGV[3]) and 2 or 1 }
if missed_count > 0 then
  for _, lead in ipairs(call('HRANDFIELD', staged.missed, ARGV[1])) do
    answer[#answer + 1] = lead
  end
end
if answer[1] == 2 then return answer end

-- What is in flight stays so, and goes back as the new line ranks it. A version that it missed stays
-- as the old one had it.
for _, lead in ipairs(call('HKEYS', FLIGHTS)) do
  local saved = read_flight(call('HGET', FLIGHTS, lead))
  local record, text = remove(staged, lead)
  if record and record.version >= saved.version then write_flight(lead, text, record) end
end
-- So does what it missed and nobody has.
for place = 2, line and #answer or 0 do
  remove(staged, answer[place])
  local record, text = remove(line, answer[place])
  if record then insert(staged, text, answer[place], record) end
end
if line then call('RPUSH', DROPPED, line.generation) end
local staged_by = call('HMGET', QUEUE, 'staged_rules', 'staged_lanes')
call('HSET', QUEUE, 'generation', staged.generation, 'rules', staged_by[1], 'lane_version', staged_by[2])
call('HDEL', QUEUE, 'staged', 'staged_rules', 'staged_lanes')
call('UNLINK', staged.left, staged.missed)
return answer
