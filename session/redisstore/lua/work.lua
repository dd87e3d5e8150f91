-- work works the delta of one namespace out into d.set, d.gone, d.size and
-- d.space.new (that its key has no deadline yet). It returns nothing when the
-- delta can be applied, else why not, and the key.
local function work(d)
  local keys, old, absent = taken, {}, d.count == 0
  taken = taken + d.count
  if not d.clear then
    -- Lua passes at most some thousand arguments.
    for from = 1, d.count, 1000 do
      local to = math.min(from + 999, d.count)
      local found = call('HMGET', d.key, unpack(ARGV, keys + from, keys + to))
      for i = from, to do
        local value = found[i - from + 1]
        if value then old[ARGV[keys + i]] = value else absent = true end
      end
    end
  end
  -- Redis is asked how many values there are only when that may matter: where
  -- all keys are there, there are as many, and the delta adds none.
  local count = d.clear and 0 or absent and call('HLEN', d.key) or d.count
  local bytes = count > 0 and rec[d.space.at + SPACE_BYTES] or 0
  local set, gone = {}, {}
  d.set, d.gone, d.space.new = set, gone, count == 0

  for i = keys + 1, keys + d.count do
    local key, operator = ARGV[i], take()
    local was, value = old[key], nil
    if operator == '=' then
      value = take()
    elseif operator == '+' then
      local a, b = was or '0', take()
      -- What a double holds is added as it is. The text has to be the one that
      -- adding writes.
      local x, y = tonumber(a), tonumber(b)
      if x and math.abs(x) <= 2 ^ 52 and math.abs(y) <= 2 ^ 52
        and string.format('%.0f', x) == a and a ~= '-0' then
        value = string.format('%.0f', x + y)
      else
        include 'sum'
        local why
        value, why = sum(a, b)
        if not value then return why, key end
      end
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
  d.size = bytes
end

for i = 1, refused and 0 or #deltas do
  local why, key = work(deltas[i])
  if why then
    refused = why == 'conflict' and answer('conflict', MATCH_CURRENT, deltas) or {why, deltas[i].place, key}
    break
  end
end
