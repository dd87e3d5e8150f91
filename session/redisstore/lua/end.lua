#!lua flags=allow-oom
-- end: ends a session, or one namespace of it, and says so. It goes on when
-- memory is full.
-- It takes the session out of its user's index too, if it is given that.
-- Ends: {other} when the session is not the user's, {gone} when there was
-- none, {done}.
include 'family'
local space, generation, user = take(), take(), take()
local channel, notice, replace, listed = take(), take(), take(), take()
-- Its user's index is the last key then. Between an end that found nothing and a
-- removal that came later, a login in progress could complete and be listed nowhere.
if listed ~= '' then call('ZREM', KEYS[#KEYS], listed) end
if lives and user ~= '' and rec[USER] ~= user then return {'other'} end
if space == 0 then
  -- What a replaced session left is no session, and outlasts a retry.
  if not replaced then call('DEL', unpack(KEYS, 1, 1 + #spaces)) end
  if lives and replace == 1 then
    for i = 1, #rec do rec[i] = i == REPLACED and now + ELEVATE_GRACE end
    call('SET', KEYS[1], cmsgpack.pack(rec), 'PXAT', now + ELEVATE_GRACE)
  end
elseif lives and rec[spaces[space].at + SPACE_GENERATION] <= generation then
  -- A namespace that is past this generation has nothing to do with this end,
  -- which then is a retry.
  finish(spaces[space], generation + 1)
  call('SET', KEYS[1], cmsgpack.pack(rec), 'KEEPTTL')
end
if notice ~= '' then call('PUBLISH', channel, notice) end
return {lives and 'done' or 'gone'}
