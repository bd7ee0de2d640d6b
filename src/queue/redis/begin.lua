-- Puts an empty line in use, unless there is one. ARGV: its generation, the versions of its
-- rules and lanes.

if call('HEXISTS', QUEUE, 'generation') == 0 then
  call('HSET', QUEUE, 'generation', ARGV[1], 'rules', ARGV[2], 'lane_version', ARGV[3])
end
return 1
