-- Clears away a slice of a generation that is no longer used. ARGV: how many lanes.
-- Answers whether there is more to clear away.

local generation = call('LINDEX', DROPPED, 0)
if not generation then return 0 end
local line = open_line(generation)
local lane_count = call('HLEN', line.lanes)
for number = lane_count - 1, math.max(lane_count - tonumber(ARGV[1]), 0), -1 do
  call('UNLINK', line.base .. 'r' .. number, line.base .. 'f' .. number)
  call('HDEL', line.lanes, number)
end
if call('EXISTS', line.lanes) == 1 then return 1 end
for group = 0, call('HLEN', line.groups) - 1 do
  call('UNLINK', line.base .. 'heads' .. group, line.base .. 'first' .. group)
end
for hours = 0, call('HLEN', line.hours) - 1 do call('UNLINK', line.base .. 'zone' .. hours) end
call('UNLINK', line.leads, line.waiting, line.ends, line.names, line.groups, line.hours, line.open,
  line.needs, line.mixed, line.left, line.missed)
call('LPOP', DROPPED)
return call('EXISTS', DROPPED)
