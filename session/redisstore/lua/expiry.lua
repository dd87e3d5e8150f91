-- What takes the place of the root's timeouts.

-- take_rule takes a text, '0' for nothing.
local function take_rule(field)
  local text = take()
  put(field, text ~= '0' and text)
end

-- take_expiry counts as activity in those that call it.
local function take_expiry()
  take_rule(EXPIRY_IDLE)
  take_rule(EXPIRY_END)
  take_rule(EXPIRY_COOKIE)
  timeouts()
end
