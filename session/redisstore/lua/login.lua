#!lua
-- login: gives a living record a new secret and a user, and raises its epoch.
-- With keep the secret and the epoch are all that is new.
-- Ends: as save.
include 'family'
if not lives then return {'ended'} end
local epoch, secret, keep, channel, notice = tonumber(take()), take(), take() == '1', take(), take()
include 'deltas'
local again = rec[EPOCH] == epoch + 1 and rec[SECRET] == secret
local op = KEYS[2 + #spaces] -- see save
if again or op and not call('SET', op, '1', 'NX', 'PX', OP_MEMORY) then
  return answer('ok', MATCH_CURRENT, deltas)
end
if rec[EPOCH] ~= epoch then refused = {'renewed'} end
include 'work'
if refused then
  if op then call('DEL', op) end
  return refused
end

rec[PREVIOUS] = rec[SECRET]
rec[PREVIOUS_KIND] = MATCH_ELEVATED
rec[PREVIOUS_UNTIL] = now + ELEVATE_GRACE
rec[SECRET] = secret
rec[RENEWED] = now
rec[EPOCH] = epoch + 1
if not keep then
  rec[USER] = take()
  rec[DEVICE] = take()
  rec[ADDRESS] = take()
  rec[AUTHENTICATED] = rec[USER] ~= '' and now
  include 'start'
end
local mode = SLIDE_ALWAYS
include 'slide'
include 'apply'
local reply = answer('ok', MATCH_CURRENT, stale)
include 'commit'
if notice ~= '' then call('PUBLISH', channel, notice) end
return reply
