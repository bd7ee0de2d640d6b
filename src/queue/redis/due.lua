-- The rules that the line in use was built by, and the next instant at which a lead falls due.

local line = open_lines()
if not line then return { false } end
local _, due_at = first_of(line.waiting)
return { line.rules, due_at or false }
