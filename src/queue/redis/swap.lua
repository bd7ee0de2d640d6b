-- Puts the staged line in use, unless it is behind. ARGV: how many leads an answer names at most; the
-- line's generation. Answers 0: it is not this one that is on its way; 1: done; or 2 and the leads
-- that it missed.

local line, staged = open_lines()
if line and line.generation == ARGV[2] then return { 1 } end
if not staged or staged.generation ~= ARGV[2] then return { 0 } end
if call('EXISTS', staged.missed) == 1 then
  local answer = { 2 }
  for _, lead in ipairs(call('HRANDFIELD', staged.missed, ARGV[1])) do
    answer[#answer + 1] = lead
  end
  return answer
end

-- What is in flight stays so, and goes back as the new line ranks it. A version that it missed stays
-- as the old one had it.
for _, lead in ipairs(call('HKEYS', FLIGHTS)) do
  local saved = read_flight(call('HGET', FLIGHTS, lead))
  local record, _, text = remove(staged, lead)
  if record and record.version >= saved.version then write_flight(lead, text, record) end
end
if line then call('RPUSH', DROPPED, line.generation) end
call('HSET', QUEUE, 'generation', staged.generation, 'rules', call('HGET', QUEUE, 'staged_rules'))
call('HDEL', QUEUE, 'staged', 'staged_rules')
call('UNLINK', staged.left, staged.missed)
return { 1 }
