-- Puts candidates back that were not leased. ARGV: eight bytes a lead.

local line = open_lines()
if not line then return 0 end
for _, lead in ipairs(leads_of(ARGV[1])) do put_back(line, lead) end
return 1
