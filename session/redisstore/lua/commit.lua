-- The book that answer has packed is stored, and every key gets its deadline. A
-- key that was there and did not slide has its own already. All of this comes
-- after answer, since an expiry that has passed leaves nothing to read.
if changed then
  local deadline = math.min(rec[IDLE], rec[LIFE])
  if not slid then
    call('SET', KEYS[1], book, 'KEEPTTL')
  elseif deadline > now then
    call('SET', KEYS[1], book, 'PXAT', deadline)
  else
    call('DEL', KEYS[1])
  end
  for i = 1, #spaces do
    local s = spaces[i]
    if rec[s.at + SPACE_VERSION] > 0 and (slid or s.new) then
      local at = deadline
      if i > 1 then at = math.min(at, rec[s.at + SPACE_IDLE], rec[s.at + SPACE_LIFE]) end
      call('PEXPIREAT', s.key, at)
    end
  end
end
