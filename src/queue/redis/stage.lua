-- Begins a line beside the one in use; one that was begun before is dropped.
-- ARGV: its generation, the versions of its rules and lanes.

local dropped = call('HGET', QUEUE, 'staged')
if dropped then call('RPUSH', DROPPED, dropped) end
call('HSET', QUEUE, 'staged', ARGV[1], 'staged_rules', ARGV[2], 'staged_lanes', ARGV[3])
return 1
