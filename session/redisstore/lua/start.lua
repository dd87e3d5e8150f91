-- The lifetime begins, at a creation and at a login, by the terms and the expiry
-- that come with it. So it does for the namespaces that have begun.
for field = TERMS_IDLE, TERMS_PERSISTENT do
  local n = take()
  rec[field] = n ~= 0 and n
end
include 'expiry'
rec[LIFE] = now + life
for i = 2, #spaces do
  local s = spaces[i]
  if rec[s.at + SPACE_VERSION] > 0 then rec[s.at + SPACE_LIFE] = now + (s.life or life) end
end
