-- Notes that a candidate was leased. ARGV: lead; rep; order; reserve_after.

local line = open_lines()
if not line then return 0 end
land(ARGV[1])
local rep, order, after = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local debt = tonumber(call('HGET', DEBTS, rep) or nil) or after
if order == 1 then call('HSET', DEBTS, rep, math.max(debt - after, 0)) end
if order == 2 then call('HSET', DEBTS, rep, math.min(debt + 1, after * 2)) end
return 1
