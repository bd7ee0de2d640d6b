-- Drops the line that grows beside the one in use, if it is this one. ARGV: its generation.

if call('HGET', QUEUE, 'staged') == ARGV[1] then
  call('RPUSH', DROPPED, ARGV[1])
  call('HDEL', QUEUE, 'staged', 'staged_rules', 'staged_lanes')
end
return 1
