-- Which changes would change the line in use; nothing is changed. ARGV: for each the lead, whether it
-- is put in (1) or leaves (0), and its record (or the version by which it left).
-- Answers whether there is a line, and the leads.

local line = open_lines()
if not line then return { 0 } end
local leads, answer = {}, { 1 }
for at = 1, #ARGV, 3 do leads[#leads + 1] = ARGV[at] end
if #leads == 0 then return answer end
local known = call('HMGET', line.leads, unpack(leads))
local flights = call('HMGET', FLIGHTS, unpack(leads))

local function known_of(place)
  if flights[place] then return (read_flight(flights[place])) end
  return known[place] and read_record(string.sub(known[place], 3)) or nil
end

for place, lead in ipairs(leads) do
  local old, is_put, body = known_of(place), ARGV[place * 3 - 1] == '1', ARGV[place * 3]
  local is_change
  if is_put then
    is_change = not old or is_newer(read_record(body), old)
  else
    is_change = old and old.version <= tonumber(body)
  end
  if is_change then answer[#answer + 1] = lead end
end
return answer
