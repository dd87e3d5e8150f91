-- work works the deltas out into d.set, d.gone, d.added and d.size, or refused
-- when they cannot be applied.
--
-- SPACE_VALUES is how many values a namespace has. SPACE_BYTES is at least their
-- size: a save that does not have to see the values that it replaces does not
-- ask Redis for them, and counts them twice.
local one = not refused and #deltas == 1 and deltas[1]
if one then
  local d, values = one, taken + one.count
  local at, s, set, gone = values, d.space.at, {}, {}
  local count, bytes = rec[s + SPACE_VALUES], rec[s + SPACE_BYTES]
  if d.clear or count == 0 then count, bytes = 0, 0 end
  for i = taken + 1, values do
    local key, operator, value = args[i], args[at + 1], args[at + 2]
    if operator == '=' and #value <= MAX_VALUE_BYTES then
      count, bytes, at = count + 1, bytes + #key + #value, at + 2
      set[#set + 1] = key
      set[#set + 1] = value
    elseif operator == '-' then
      at = at + 1
      gone[#gone + 1] = key
    elseif operator == '+' and d.count == 1 and not d.clear and count < MAX_VALUES and bytes + #key + 20 <= MAX_BYTES then
      -- Redis adds what work would, and changes nothing where work refuses.
      local sum = redis.pcall('HINCRBY', d.key, key, value)
      if type(sum) ~= 'number' then one = false break end
      bytes, at = bytes + #key + 20, at + 2
      if sum == tonumber(value) then d.added = 1 end -- or was 0: apply asks
    else
      one = false
      break
    end
  end
  if one and count <= MAX_VALUES and bytes <= MAX_BYTES then
    d.set, d.gone, d.size, taken = set, gone, bytes, at
  else
    one = false
  end
end

if not refused and not one then
  -- work does so for one namespace. It returns nothing when the delta can be
  -- applied, else why not, and the key.
  local function work(d)
    local keys, old = taken, {}
    taken = taken + d.count
    local count, bytes = rec[d.space.at + SPACE_VALUES], rec[d.space.at + SPACE_BYTES]
    if d.clear or count == 0 then count, bytes = 0, 0 end
    if count > 0 then
      count = call('HLEN', d.key)
      -- Lua passes at most some thousand arguments.
      for from = 1, d.count, 1000 do
        local to = math.min(from + 999, d.count)
        local found = call('HMGET', d.key, unpack(args, keys + from, keys + to))
        for i = from, to do old[args[keys + i]] = found[i - from + 1] or nil end
      end
    end
    local set, gone, more = {}, {}, 0
    d.set, d.gone = set, gone

    for i = keys + 1, keys + d.count do
      local key, operator = args[i], take()
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
      if was then count, more = count - 1, more - #key - #was end
      if value then
        if #value > MAX_VALUE_BYTES then return 'limit', key end
        count, more = count + 1, more + #key + #value
        set[#set + 1] = key
        set[#set + 1] = value
      else
        gone[#gone + 1] = key
      end
      old[key] = value
    end
    if bytes + more > MAX_BYTES and bytes > 0 then
      bytes = 0
      for _, text in ipairs(call('HGETALL', d.key)) do bytes = bytes + #text end
    end
    if count > MAX_VALUES or bytes + more > MAX_BYTES then return 'limit', '' end
    d.size = bytes + more
  end

  for i = 1, #deltas do
    local why, key = work(deltas[i])
    if why then
      refused = why == 'conflict' and answer('conflict', MATCH_CURRENT, deltas) or {why, deltas[i].place, key}
      break
    end
  end
end
