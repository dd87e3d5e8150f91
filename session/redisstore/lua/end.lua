#!lua flags=allow-oom
-- end: ends a session, or one namespace of it, and says so. It goes on when
-- memory is full.
-- Ends: {other} when the session is not the user's, {gone} when there was
-- none, {done}.
local space, generation, user = tonumber(take()), tonumber(take()), take()
local channel, notice, replace = take(), take(), take()
if lives and user ~= '' and rec[USER] ~= user then return {'other'} end
if space == 0 then
  -- What a replaced session left is no session, and outlasts a retry.
  if not replaced then call('DEL', unpack(KEYS)) end
  if lives and replace == '1' then
    call('HSET', KEYS[1], names[REPLACED], now + ELEVATE_GRACE)
    call('PEXPIREAT', KEYS[1], now + ELEVATE_GRACE)
  end
elseif lives and number(spaces[space].generation) <= generation then
  -- A namespace that is past this generation has nothing to do with this end,
  -- which then is a retry.
  finish(spaces[space], generation + 1)
  write()
end
if notice ~= '' then call('PUBLISH', channel, notice) end
return {lives and 'done' or 'gone'}
