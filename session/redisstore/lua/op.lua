-- An op that was carried out is remembered, so that its retry is answered and
-- not carried out again. first_time remembers it; an op that is refused after
-- that is forgotten, and may be tried again.
local op_key = KEYS[2 + #spaces]

local function first_time()
  return not op_key or call('SET', op_key, '1', 'NX', 'PX', OP_MEMORY)
end

local function forget(reply)
  if op_key then call('DEL', op_key) end
  return reply
end
