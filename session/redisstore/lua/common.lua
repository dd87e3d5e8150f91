-- The time is Redis' own, in milliseconds.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- int writes an integer of up to 53 bits. tostring would write 1e+15.
local function int(n) return string.format('%.0f', n) end
