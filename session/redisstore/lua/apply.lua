-- What work worked out is stored, and the namespaces that had not begun begin.
-- commit comes after it.
for i = 1, #deltas do
  local d = deltas[i]
  local at, key, set, gone, added = d.space.at, d.key, d.set, d.gone, d.added
  local count = rec[at + SPACE_VALUES]
  if d.clear then
    call('DEL', key)
    count = 0
  end
  local sets = added + #set / 2
  for from = 1, #set, 1000 do added = added + call('HSET', key, unpack(set, from, math.min(from + 999, #set))) end
  if added > 0 and added == sets then
    -- Perhaps the key is new, and has no deadline yet.
    count = call('HLEN', key)
    d.space.new = count == added
  else
    count = count + added
  end
  -- Last: an empty key would be gone, and its deadline with it.
  for from = 1, #gone, 1000 do count = count - call('HDEL', key, unpack(gone, from, math.min(from + 999, #gone))) end
  if rec[at + SPACE_VERSION] == 0 and d.place > 1 then
    rec[at + SPACE_IDLE] = now + (d.space.idle or idle)
    rec[at + SPACE_LIFE] = now + (d.space.life or life)
  end
  rec[at + SPACE_VERSION] = rec[at + SPACE_VERSION] + 1
  rec[at + SPACE_VALUES] = count
  rec[at + SPACE_BYTES] = d.size
  changed = true
end
