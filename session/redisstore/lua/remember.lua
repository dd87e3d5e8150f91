-- The op was carried out, see op.
if op ~= '' then
  local ops = rec[OPS] or ''
  if now - (rec[OPS_AT] or 0) > OP_MEMORY then
    ops = ''
  elseif #ops == OPS_BYTES then
    local list = {}
    for at = 1, OPS_BYTES, OP_BYTES do
      list[#list + 1] = string.sub(ops, at, at + OP_BYTES - 1)
      list[#list + 1] = ''
    end
    local key = KEYS[2 + #spaces + math.floor(now / OP_MEMORY) % 2]
    call('HSET', key, unpack(list))
    call('PEXPIREAT', key, now + OP_MEMORY)
    rec[OPS_MOVED] = now
    ops = ''
  end
  rec[OPS] = ops .. op
  rec[OPS_AT] = now
  changed = true
end
