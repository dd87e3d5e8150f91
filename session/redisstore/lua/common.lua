local call = redis.call

-- The time is Redis' own, in milliseconds.
--
-- A number may be an argument of call as it is: Redis writes integers of up to
-- 53 bits with all their digits.
local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
