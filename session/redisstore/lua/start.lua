-- start begins the lifetime, at a creation and at a login, by the terms and the
-- expiry that come with it. So it does for the namespaces that have begun.
local function start()
  take_rule(TERMS_IDLE)
  take_rule(TERMS_LIFE)
  take_rule(TERMS_PERSISTENT)
  take_expiry()
  put(LIFE, now + life)
  for i = 2, #spaces do
    local s = spaces[i]
    if rec[s.version] then put(s.life_at, now + (s.life or life)) end
  end
  slide(SLIDE_ALWAYS)
end
