-- This counts as activity when mode says so: always, or when it is due, which
-- is when a tenth of the shortest idle timeout among the namespaces that have
-- begun has passed since it last did. The deadlines of the record and of these
-- namespaces slide together.
local slid = mode == SLIDE_ALWAYS
if mode == SLIDE_DUE then
  local shortest = idle
  for i = 2, #spaces do
    local s = spaces[i]
    if rec[s.at + SPACE_VERSION] > 0 then shortest = math.min(shortest, s.idle or idle) end
  end
  slid = now - rec[SEEN] >= shortest / 10
end
if slid then
  rec[SEEN] = now
  rec[IDLE] = math.min(now + idle, rec[EXPIRY_END] or math.huge)
  for i = 2, #spaces do
    local s = spaces[i]
    if rec[s.at + SPACE_VERSION] > 0 then rec[s.at + SPACE_IDLE] = now + (s.idle or idle) end
  end
  changed = true
end
