-- What the scripts on one user's index share.
--
--   KEYS[1]  the ids, each with the time of its listing: a sorted set
--   KEYS[2]  the user's generation, and the longest lifetime seen: a hash

include 'common'

-- keep lets a key live until at, or longer if it does already.
local function keep(key, at)
  if call('PEXPIRETIME', key) < at then call('PEXPIREAT', key, at) end
end

-- listing returns the ids with the age of their listing, oldest first.
local function listing()
  local list = call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')
  for i = 2, #list, 2 do list[i] = math.max(0, now - tonumber(list[i])) end
  return list
end
