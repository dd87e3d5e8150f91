-- What the scripts on one family share. It stands before each of them, after
-- what Go writes of the family, see library: the names of all fields of the
-- bookkeeping, and the namespaces. All of it runs anew each time, and what costs
-- most is every function, table and text that it makes: there are few.
--
--   KEYS[1]      the bookkeeping: a hash
--   KEYS[1 + i]  the values of the i-th namespace, the root first: a hash
--   then         the memory of the op, in save and login, if there is an op
--   ARGV         read in order by take()

local taken = 0
local function take()
  taken = taken + 1
  return ARGV[taken]
end

-- each calls a command with a list of any length: Lua passes at most some
-- thousand arguments. The list is cut at even places, as pairs want it.
local function each(command, key, list)
  for from = 1, #list, 1000 do
    call(command, key, unpack(list, from, math.min(from + 999, #list)))
  end
end

-- The bookkeeping, by the numbers of its fields, false for one that is not
-- there. put alone changes it, and write stores what was put.
local rec = call('HMGET', KEYS[1], unpack(names))
local changed = {}

local function put(field, value)
  if rec[field] ~= value then
    rec[field] = value
    changed[#changed + 1] = field
  end
end
local function number(field) return tonumber(rec[field]) or 0 end

local function write()
  local set, gone = {}, {}
  for i = 1, #changed do
    local field = changed[i]
    if rec[field] then
      set[#set + 1] = names[field]
      set[#set + 1] = rec[field]
    else
      gone[#gone + 1] = names[field]
    end
  end
  changed = {}
  each('HDEL', KEYS[1], gone)
  each('HSET', KEYS[1], set)
end

-- A namespace has begun when it was written in its present generation: when it
-- has a version. The root's has no deadlines of its own: it lives as long as
-- the record.
local function deadline(s)
  local at = math.min(number(IDLE), number(LIFE))
  if s.idle_at and rec[s.version] then
    at = math.min(at, number(s.idle_at), number(s.life_at))
  end
  return at
end

-- finish ends a namespace: it is empty, and what was loaded from it before
-- can no longer be saved.
local function finish(s, generation)
  call('DEL', s.key)
  put(s.generation, generation)
  put(s.version, false)
  put(s.bytes, false)
  if s.idle_at then
    put(s.idle_at, false)
    put(s.life_at, false)
  end
end

-- The root's timeouts. The terms of a login take their place, and an expiry
-- that of the idle timeout; one with an end alone puts the lifetime there.
local idle, life
local function timeouts()
  life = tonumber(rec[TERMS_LIFE] or spaces[1].life)
  idle = tonumber(rec[EXPIRY_IDLE] or rec[EXPIRY_END] and life or rec[TERMS_IDLE] or spaces[1].idle)
end

-- Whether the record lives, and what a session left that a login as somebody
-- else replaced a moment ago. Deadlines are judged by the fields: keys expire
-- with them, but never a moment before. Namespaces whose deadline has passed
-- are ended.
local lives = rec[SECRET] and deadline(spaces[1]) > now
local replaced = number(REPLACED) > now
if lives then
  timeouts()
  for i = 2, #spaces do
    local s = spaces[i]
    if rec[s.version] and deadline(s) <= now then finish(s, number(s.generation) + 1) end
  end
  if #changed > 0 then write() end
else
  for i = 1, #names do rec[i] = false end
end

-- slide counts as activity, when that is always so, or due: when a tenth of the
-- shortest idle timeout among the namespaces that have begun has passed since
-- it last did. The deadlines of the record and of these namespaces slide
-- together.
local slid = false
local function slide(mode)
  if mode == SLIDE_DUE then
    local shortest = idle
    for i = 2, #spaces do
      local s = spaces[i]
      if rec[s.version] then shortest = math.min(shortest, s.idle or idle) end
    end
    if now - number(SEEN) < shortest / 10 then return end
  elseif mode ~= SLIDE_ALWAYS then
    return
  end
  put(SEEN, now)
  put(IDLE, math.min(now + idle, tonumber(rec[EXPIRY_END] or math.huge)))
  for i = 2, #spaces do
    local s = spaces[i]
    if rec[s.version] then put(s.idle_at, now + (s.idle or idle)) end
  end
  slid = true
end

-- commit stores the bookkeeping and gives every key its deadline. A key that
-- was there and did not slide has its own already.
local function commit()
  if #changed > 0 then write() end
  if slid then call('PEXPIREAT', KEYS[1], deadline(spaces[1])) end
  for i = 1, #spaces do
    local s = spaces[i]
    if rec[s.version] and (slid or s.new) then call('PEXPIREAT', s.key, deadline(s)) end
  end
end

-- answer is the reply that Go decodes, in one text: Redis takes longer to send
-- forty short ones than for all the rest. It has status, time, match, the
-- bookkeeping, and the values of all namespaces, or of those that are changed
-- or stale, see delta.
local function answer(status, match, with)
  local values = {}
  for i = 1, #spaces do
    local s = spaces[i]
    if with == 'all' or s[with] then
      values[#values + 1] = i
      values[#values + 1] = call('HGETALL', s.key)
    end
  end
  return cmsgpack.pack({status, now, match, rec, values})
end
