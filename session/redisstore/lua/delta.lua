-- Deltas: take_deltas reads them, work works them out without changing
-- anything, apply applies them.

local function take_deltas()
  for _ = 1, take_number() do
    local s = spaces[take_number()]
    s.delta = {
      generation = take(), version = take(), clear = take() == '1',
      set = take_list(2), delete = take_list(1), add = take_list(2), swap = take_list(3),
    }
  end
end

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
  local text = high > 0 and string.format('%.0f%09.0f', high, low) or int(low)
  if negative and text ~= '0' then text = '-' .. text end
  if halves(text) == nil then return nil, 'limit' end
  return text
end

-- work_space works one delta out into s.write, s.gone, s.bytes and s.new (that
-- its key has no deadline yet). It returns nothing when the delta can be
-- applied, else why not, and the key.
local function work_space(s)
  local d, keys, old = s.delta, {}, {}
  local count, bytes = 0, 0
  if not d.clear then
    count = redis.call('HLEN', s.key)
    bytes = count > 0 and number(s.prefix .. ':len') or 0
    for i = 1, #d.set, 2 do keys[#keys + 1] = d.set[i] end
    for i = 1, #d.delete do keys[#keys + 1] = d.delete[i] end
    for i = 1, #d.add, 2 do keys[#keys + 1] = d.add[i] end
    for i = 1, #d.swap, 3 do keys[#keys + 1] = d.swap[i] end
    for i, value in ipairs(each('HMGET', s.key, keys)) do old[keys[i]] = value end
  end
  s.write, s.gone, s.new = {}, {}, count == 0
  local function change(key, value)
    if old[key] then
      count = count - 1
      bytes = bytes - #key - #old[key]
    end
    old[key] = value
    if value then
      count = count + 1
      bytes = bytes + #key + #value
      s.write[#s.write + 1] = key
      s.write[#s.write + 1] = value
    else
      s.gone[#s.gone + 1] = key
    end
    return value and #value > MAX_VALUE_BYTES
  end

  for i = 1, #d.swap, 3 do
    -- '-' stands for absent, '+' comes before a value.
    local key, expected, value = d.swap[i], d.swap[i + 1], d.swap[i + 2]
    if (old[key] and '+' .. old[key] or '-') ~= expected then return 'conflict', key end
    if change(key, value ~= '-' and string.sub(value, 2)) then return 'limit', key end
  end
  for i = 1, #d.delete do change(d.delete[i], false) end
  for i = 1, #d.set, 2 do
    if change(d.set[i], d.set[i + 1]) then return 'limit', d.set[i] end
  end
  for i = 1, #d.add, 2 do
    local text, why = sum(old[d.add[i]] or '0', d.add[i + 1])
    if not text then return why, d.add[i] end
    change(d.add[i], text)
  end
  if count > MAX_VALUES or bytes > MAX_BYTES then return 'limit', '' end
  s.bytes = bytes
end

-- work checks and works out all deltas. It returns nothing when all can be
-- applied, else the reply.
local function work()
  for _, s in ipairs(spaces) do
    if s.delta then
      if (rec[s.prefix .. ':gen'] or '0') ~= s.delta.generation then
        return {'namespace', s.index, ''}
      end
      -- Somebody else wrote since: the caller cannot know the values.
      s.stale = (rec[s.prefix .. ':ver'] or '0') ~= s.delta.version
    end
  end
  for _, s in ipairs(spaces) do
    if s.delta then
      local why, key = work_space(s)
      if why == 'conflict' then return answer('conflict', MATCH_CURRENT, changed) end
      if why then return {why, s.index, key} end
    end
  end
end

-- apply stores what work worked out, and begins the namespaces that had not
-- begun. commit comes after it.
local function apply()
  for _, s in ipairs(spaces) do
    if s.delta then
      if s.delta.clear then redis.call('DEL', s.key) end
      each('HSET', s.key, s.write)
      each('HDEL', s.key, s.gone) -- last: an empty key would be gone, and its deadline with it
      if s.index > 1 and not begun(s) then
        put(s.prefix .. ':idle', now + idle_of(s))
        put(s.prefix .. ':life', now + life_of(s))
      end
      put(s.prefix .. ':ver', number(s.prefix .. ':ver') + 1)
      put(s.prefix .. ':len', s.bytes)
    end
  end
end
