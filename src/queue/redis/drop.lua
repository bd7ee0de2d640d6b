-- Clears away a slice of a generation that is no longer used: a room, or so many lanes of nobody's. ARGV:
-- how many lanes.
-- Answers whether there is more to clear away.

local generation = call('LINDEX', DROPPED, 0)
if not generation then return 0 end
local line = open_line(generation)

local function unlink_groups(room)
  for group = 0, call('HLEN', line.groups) - 1 do
    call('UNLINK', line.base .. 'heads' .. group .. room, line.base .. 'first' .. group .. room)
  end
end

local rep = call('HRANDFIELD', line.rooms)
if rep then
  local room = room_of(rep)
  for _, number in ipairs(call('SMEMBERS', line.base .. 'own' .. room)) do
    call('UNLINK', line.base .. 'r' .. number .. room, line.base .. 'f' .. number .. room)
  end
  unlink_groups(room)
  call('UNLINK', line.base .. 'own' .. room, line.open .. room, line.mixed .. room)
  call('HDEL', line.rooms, rep)
  return 1
end
local lane_count = call('HLEN', line.lanes)
for number = lane_count - 1, math.max(lane_count - tonumber(ARGV[1]), 0), -1 do
  call('UNLINK', line.base .. 'r' .. number, line.base .. 'f' .. number)
  call('HDEL', line.lanes, number)
end
if call('EXISTS', line.lanes) == 1 then return 1 end
unlink_groups('')
for hours = 0, call('HLEN', line.hours) - 1 do call('UNLINK', line.base .. 'zone' .. hours) end
call('UNLINK', line.leads, line.waiting, line.ends, line.names, line.groups, line.hours, line.open,
  line.needs, line.mixed, line.left, line.missed, line.keeps, line.rooms)
call('LPOP', DROPPED)
return call('EXISTS', DROPPED)
