-- What takes the place of the root's timeouts: three numbers, 0 for what is not
-- set.
for field = EXPIRY_IDLE, EXPIRY_COOKIE do
  local n = take()
  rec[field] = n ~= 0 and n
end
include 'timeouts'
