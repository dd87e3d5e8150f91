-- What the scripts on one family share. It stands before each of them, after
-- the constants.
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
local function take_number() return tonumber(take()) end

-- take_list reads a count and that many arguments times width.
local function take_list(width)
  local list = {}
  for i = 1, take_number() * width do list[i] = take() end
  return list
end

local spaces = {}
for i = 1, take_number() do
  spaces[i] = {
    index = i, key = KEYS[1 + i],
    prefix = take(), idle = take_number(), life = take_number(),
  }
end
local op_key = KEYS[2 + #spaces]

-- The bookkeeping, all text. rec[field] is changed by put alone, and write
-- stores what was put; nil removes a field.
local rec, dirty = {}, {}

local function put(field, value)
  if type(value) == 'number' then value = int(value) end
  rec[field] = value
  dirty[field] = true
end
local function number(field) return tonumber(rec[field]) or 0 end

-- each calls a command with a list of any length: Lua passes at most some
-- thousand arguments. The list is cut at even places, as pairs want it.
local function each(command, key, list)
  local replies = {}
  for from = 1, #list, 1000 do
    local to = math.min(from + 999, #list)
    local reply = redis.call(command, key, unpack(list, from, to))
    if type(reply) == 'table' then
      for i = 1, #reply do replies[from + i - 1] = reply[i] end
    end
  end
  return replies
end

local function write()
  local set, gone = {}, {}
  for field in pairs(dirty) do
    if rec[field] == nil then
      gone[#gone + 1] = field
    else
      set[#set + 1] = field
      set[#set + 1] = rec[field]
    end
  end
  dirty = {}
  each('HDEL', KEYS[1], gone)
  each('HSET', KEYS[1], set)
end

-- A namespace has begun when it was written in its present generation. The
-- root's has no deadlines of its own: it lives as long as the record.
local function begun(s) return rec[s.prefix .. ':ver'] ~= nil end

local function root_deadline() return math.min(number('idle'), number('life')) end

local function deadline(s)
  local at = root_deadline()
  if s.index > 1 and begun(s) then
    at = math.min(at, number(s.prefix .. ':idle'), number(s.prefix .. ':life'))
  end
  return at
end

-- finish ends a namespace: it is empty, and what was loaded from it before
-- can no longer be saved.
local function finish(s, generation)
  redis.call('DEL', s.key)
  put(s.prefix .. ':gen', generation)
  for _, field in ipairs({':ver', ':len', ':idle', ':life'}) do
    if rec[s.prefix .. field] then put(s.prefix .. field, nil) end
  end
end

-- The root's timeouts. The terms of a login take their place.
local idle, life
local function timeouts()
  idle = tonumber(rec.terms_idle) or spaces[1].idle
  life = tonumber(rec.terms_life) or spaces[1].life
end

-- Those of another namespace: its own, or else the root's.
local function idle_of(s) return s.idle > 0 and s.idle or idle end
local function life_of(s) return s.life > 0 and s.life or life end

-- read reads the record and says whether it lives. Deadlines are judged by
-- the fields: keys expire with them, but never a moment before. Namespaces
-- whose deadline has passed are ended.
local replaced = false -- by a login as somebody else, a moment ago
local function read()
  local flat = redis.call('HGETALL', KEYS[1])
  for i = 1, #flat, 2 do rec[flat[i]] = flat[i + 1] end
  replaced = number('replaced') > now
  if not rec.secret or root_deadline() <= now then
    rec = {}
    return false
  end
  timeouts()
  for _, s in ipairs(spaces) do
    if begun(s) and deadline(s) <= now then
      finish(s, number(s.prefix .. ':gen') + 1)
    end
  end
  write()
  return true
end

-- touch counts as activity: the deadlines of the record and of all namespaces
-- that have begun slide together.
local slid = false
local function touch()
  put('seen', now)
  put('idle', now + idle)
  for i = 2, #spaces do
    local s = spaces[i]
    if begun(s) then put(s.prefix .. ':idle', now + idle_of(s)) end
  end
  slid = true
end

-- due says whether a tenth of the shortest idle timeout among the namespaces
-- that have begun has passed since touch.
local function due()
  local shortest = idle
  for i = 2, #spaces do
    if begun(spaces[i]) then shortest = math.min(shortest, idle_of(spaces[i])) end
  end
  return now - number('seen') >= shortest / 10
end

local function slide(mode)
  if mode == SLIDE_ALWAYS or mode == SLIDE_DUE and due() then touch() end
end

-- start begins the lifetime, at a creation and at a login, also that of the
-- namespaces that have begun.
local function start(terms_idle, terms_life, persistent)
  put('terms_idle', terms_idle ~= '0' and terms_idle or nil)
  put('terms_life', terms_life ~= '0' and terms_life or nil)
  put('terms_persistent', persistent == '1' and '1' or nil)
  timeouts()
  put('life', now + life)
  for i = 2, #spaces do
    local s = spaces[i]
    if begun(s) then put(s.prefix .. ':life', now + life_of(s)) end
  end
  touch()
end

-- commit stores the bookkeeping and gives every key its deadline. A key that
-- was there and did not slide has its own already.
local function commit()
  write()
  if slid then redis.call('PEXPIREAT', KEYS[1], int(root_deadline())) end
  for _, s in ipairs(spaces) do
    if begun(s) and (slid or s.new) then
      redis.call('PEXPIREAT', s.key, int(deadline(s)))
    end
  end
end

-- An op that was carried out is remembered, so that its retry is answered and
-- not carried out again. first_time remembers it; an op that is refused after
-- that is forgotten, and may be tried again.
local function first_time()
  return not op_key or redis.call('SET', op_key, '1', 'NX', 'PX', OP_MEMORY)
end
local function forget(reply)
  if op_key then redis.call('DEL', op_key) end
  return reply
end

-- answer is the reply that Go decodes: status, time, match, bookkeeping, and
-- the values of the namespaces for which with(s) holds.
local function answer(status, match, with)
  local book, values = {}, {}
  for field, value in pairs(rec) do
    book[#book + 1] = field
    book[#book + 1] = value
  end
  for _, s in ipairs(spaces) do
    if with and with(s) then
      values[#values + 1] = s.index
      values[#values + 1] = redis.call('HGETALL', s.key)
    end
  end
  return {status, now, match, book, values}
end
local function all() return true end
local function changed(s) return s.delta ~= nil end
local function stale(s) return s.stale end
