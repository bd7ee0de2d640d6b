-- Puts an empty line in use, unless there is one. ARGV: its generation, the version of its rules.

if call('HEXISTS', QUEUE, 'generation') == 0 then
  call('HSET', QUEUE, 'generation', ARGV[1], 'rules', ARGV[2])
end
return 1
