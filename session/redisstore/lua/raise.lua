#!lua flags=allow-oom
-- raise: raises the generation, so that no login in progress survives. It goes
-- on when memory is full, as every end does.
-- Ends: the listing.
--
-- The key expires. So that a generation never comes back, which a login in
-- progress would take for the one it saw, it is at least the time.
include 'index'
local micros = tonumber(time[1]) * 1000000 + tonumber(time[2])
local generation = tonumber(call('HMGET', KEYS[2], 'gen')[1]) or 0
call('HSET', KEYS[2], 'gen', math.max(generation + 1, micros))
keep(KEYS[2], now + LOGIN_TIME)
return listing()
