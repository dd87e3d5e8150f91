-- What the scripts on one family share. All of it runs anew each time, and what
-- costs most is every call of Redis, and every function, table and text that it
-- makes: there are few. So steps that a script takes once are no functions but
-- texts that it includes.
--
--   KEYS[1]      the book: the bookkeeping, a list in MessagePack
--   KEYS[1 + i]  the values of the i-th namespace, the root first: a hash
--   then         the memory of ops, in save and login, if there is an op
--   ARGV[1]      the arguments, a list in MessagePack: read in order by take()
include 'common'
include 'spaces'

local args, taken = cmsgpack.unpack(ARGV[1]), 0
local function take()
  taken = taken + 1
  return args[taken]
end

-- The bookkeeping by the numbers of its fields, false for one that is not set.
-- Whoever changes it says so. After the fields come the namespaces, as many as
-- were ever known of, SPACE_SIZE places for each: its prefix, and from there the
-- numbers of SPACE_GENERATION and the others. A namespace has begun when it was
-- written in its present generation: when it has a version.
local book = call('GET', KEYS[1])
local good, rec = true, {}
if book then good, rec = pcall(cmsgpack.unpack, book) end
if not good or type(rec) ~= 'table' or rec[SECRET] and type(rec[LIFE]) ~= 'number' then
  return redis.error_reply('CORRUPT no book of a session')
end
local changed = false

-- Whether the record lives, and what a session left that a login as somebody
-- else replaced a moment ago. Deadlines are judged by the fields: keys expire
-- with them, but never a moment before.
local lives = rec[SECRET] and math.min(rec[IDLE], rec[LIFE]) > now
local replaced = (rec[REPLACED] or 0) > now
if not lives then
  rec = {}
  for i = 1, FIELDS do rec[i] = false end
end

-- finish ends a namespace: it is empty, and what was loaded from it before
-- can no longer be saved.
local function finish(s, generation)
  call('DEL', s.key)
  rec[s.at + SPACE_GENERATION] = generation
  for i = SPACE_VERSION, SPACE_LIFE do rec[s.at + i] = 0 end
  changed = true
end

-- Each namespace of the family finds its place: a program may have got more of
-- them since, or may have them in another order. Those whose deadline has passed
-- are ended. The root has no deadlines of its own: it lives as long as the
-- record.
for i = 1, #spaces do
  local s = spaces[i]
  local at = FIELDS + 1
  while rec[at] and rec[at] ~= s.prefix do at = at + SPACE_SIZE end
  s.at = at
  if not rec[at] then
    rec[at] = s.prefix
    for n = SPACE_GENERATION, SPACE_LIFE do rec[at + n] = 0 end
  elseif i > 1 and rec[at + SPACE_VERSION] > 0
    and math.min(rec[at + SPACE_IDLE], rec[at + SPACE_LIFE]) <= now then
    finish(s, rec[at + SPACE_GENERATION] + 1)
  end
end

local idle, life
include 'timeouts'

-- answer is the reply that Go decodes, in one text: Redis takes longer to send
-- forty short ones than for all the rest. It has status, time, match, the values
-- of spaces (namespaces or deltas), and the book as commit stores it.
local function answer(status, match, list)
  local values = {}
  for i = 1, #list do
    values[2 * i - 1] = list[i].place
    values[2 * i] = call('HGETALL', list[i].key)
  end
  if changed then book = cmsgpack.pack(rec) end
  return cmsgpack.pack(status, now, match, values) .. book
end
