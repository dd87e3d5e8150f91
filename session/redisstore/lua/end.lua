#!lua flags=allow-oom
-- end: ends a session, or one namespace of it, and says so. It goes on when
-- memory is full.
-- Ends: {other} when the session is not the user's, {gone} when there was
-- none, {done}.
local lives = read()
local space, generation, user = take_number(), take_number(), take()
local channel, notice, replace = take(), take(), take()
if lives and user ~= '' and rec.user ~= user then return {'other'} end
if space == 0 then
  -- What a replaced session left is no session, and outlasts a retry.
  if not replaced then redis.call('DEL', unpack(KEYS)) end
  if lives and replace == '1' then
    redis.call('HSET', KEYS[1], 'replaced', int(now + ELEVATE_GRACE))
    redis.call('PEXPIREAT', KEYS[1], int(now + ELEVATE_GRACE))
  end
elseif lives and number(spaces[space].prefix .. ':gen') <= generation then
  -- A namespace that is past this generation has nothing to do with this end,
  -- which then is a retry.
  finish(spaces[space], generation + 1)
  write()
end
if notice ~= '' then redis.call('PUBLISH', channel, notice) end
return {lives and 'done' or 'gone'}
