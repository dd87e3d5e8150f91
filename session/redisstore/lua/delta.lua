-- Deltas: take_deltas reads which namespaces they change, work works them out without changing anything, apply applies them.
--
-- Their arguments are a count, and for each delta its namespace, generation,
-- version, whether it clears, and how many keys it changes; then, for each, the
-- keys, and what to do with each key in turn: an operator and its operands.

-- halves cuts an integer's text into its sign, its last nine digits, and those
-- before. It returns nil for any text that adding would not write itself
-- ("01", "-0", "1.0", "1e3"), and for what 64 bits do not hold. A Lua number
-- is a double: it cannot hold a 64-bit integer, but each half.
local function halves(text)
  local sign, digits = string.match(text, '^(%-?)(%d+)$')
  if not digits or #digits > 19 or digits ~= '0' and string.sub(digits, 1, 1) == '0'
    or text == '-0' then
    return nil
  end
  local high, low = tonumber(string.sub(digits, 1, -10)) or 0, tonumber(string.sub(digits, -9))
  local last = sign == '-' and 854775808 or 854775807 -- of 9223372036 854775807
  if high > 9223372036 or high == 9223372036 and low > last then return nil end
  return sign == '-', high, low
end

-- sum adds two integers exactly. It returns nil and why when it cannot.
local function sum(a, b)
  -- What a double holds needs no halves: the sum is the same, and five times
  -- cheaper. The text has to be the one that adding writes here, too.
  local x, y = tonumber(a), tonumber(b)
  if x and math.abs(x) <= 2 ^ 52 and math.abs(y) <= 2 ^ 52
    and string.format('%.0f', x) == a and a ~= '-0' then
    return string.format('%.0f', x + y)
  end
  local a_negative, a_high, a_low = halves(a)
  if a_negative == nil then return nil, 'type' end
  local b_negative, b_high, b_low = halves(b)
  local high, low, negative = a_high + b_high, a_low + b_low, a_negative
  if a_negative ~= b_negative then
    high, low = a_high - b_high, a_low - b_low
    if high < 0 or high == 0 and low < 0 then
      high, low, negative = 0 - high, 0 - low, b_negative -- -0 would be written "-0"
    end
  end
  if low < 0 then high, low = high - 1, low + 1000000000 end
  if low >= 1000000000 then high, low = high + 1, low - 1000000000 end
  local text = string.format('%.0f', low)
  if high > 0 then text = string.format('%.0f%09.0f', high, low) end
  if negative and text ~= '0' then text = '-' .. text end
  if halves(text) == nil then return nil, 'limit' end
  return text
end

-- work_space works the delta of one namespace out into s.write, s.gone, s.size
-- and s.new (that its key has no deadline yet). It returns nothing when the delta can be
-- applied, else why not, and the key.
local function work_space(s)
  local keys, old, absent = taken, {}, s.count == 0
  taken = taken + s.count
  if not s.clear then
    for from = 1, s.count, 1000 do
      local to = math.min(from + 999, s.count)
      local found = call('HMGET', s.key, unpack(ARGV, keys + from, keys + to))
      for i = from, to do
        local value = found[i - from + 1]
        if value then old[ARGV[keys + i]] = value else absent = true end
      end
    end
  end
  -- Redis is asked how many values there are only when that may matter: where
  -- all keys are there, there are as many, and the delta adds none.
  local count = s.clear and 0 or absent and call('HLEN', s.key) or s.count
  local bytes = count > 0 and number(s.bytes) or 0
  local set, gone = {}, {}
  s.write, s.gone, s.new = set, gone, count == 0

  for i = keys + 1, keys + s.count do
    local key, operator = ARGV[i], take()
    local was, value = old[key], nil
    if operator == '=' then
      value = take()
    elseif operator == '+' then
      local why
      value, why = sum(was or '0', take())
      if not value then return why, key end
    elseif operator == '?' then
      -- A swap. '-' stands for absent, '+' comes before a value.
      local expected = take()
      value = take()
      if (was and '+' .. was or '-') ~= expected then return 'conflict', key end
      value = value ~= '-' and string.sub(value, 2) or nil
    end
    if was then count, bytes = count - 1, bytes - #key - #was end
    if value then
      if #value > MAX_VALUE_BYTES then return 'limit', key end
      count, bytes = count + 1, bytes + #key + #value
      set[#set + 1] = key
      set[#set + 1] = value
    else
      gone[#gone + 1] = key
    end
    old[key] = value
  end
  if count > MAX_VALUES or bytes > MAX_BYTES then return 'limit', '' end
  s.size = bytes
end

local function take_deltas()
  for _ = 1, take() do
    local s = spaces[tonumber(take())]
    local generation, version = take(), take()
    s.changed, s.clear, s.count = true, take() == '1', tonumber(take())
    s.ended = (rec[s.generation] or '0') ~= generation
    -- Somebody else wrote since: the caller cannot know the values.
    s.stale = (rec[s.version] or '0') ~= version
  end
end

-- work works out all deltas. It returns nothing when all can be applied, else
-- the reply.
local function work()
  for i = 1, #spaces do
    if spaces[i].ended then return {'namespace', i, ''} end
  end
  for i = 1, #spaces do
    if spaces[i].changed then
      local why, key = work_space(spaces[i])
      if why == 'conflict' then return answer('conflict', MATCH_CURRENT, 'changed') end
      if why then return {why, i, key} end
    end
  end
end

-- apply stores what work worked out, and begins the namespaces that had not
-- begun. commit comes after it.
local function apply()
  for i = 1, #spaces do
    local s = spaces[i]
    if s.changed then
      if s.clear then call('DEL', s.key) end
      each('HSET', s.key, s.write)
      each('HDEL', s.key, s.gone) -- last: an empty key would be gone, and its deadline with it
      if s.idle_at and not rec[s.version] then
        put(s.idle_at, now + (s.idle or idle))
        put(s.life_at, now + (s.life or life))
      end
      put(s.version, number(s.version) + 1)
      put(s.bytes, s.size)
    end
  end
end
