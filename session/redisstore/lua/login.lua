#!lua
-- login: gives a living record a new secret and a user, and raises its epoch.
-- With keep the secret and the epoch are all that is new.
-- Ends: as save.
include 'family'
if not lives then return {'ended'} end
local op, epoch, secret, keep, channel, notice = take(), take(), take(), take() == 1, take(), take()
include 'deltas'
include 'op'
if again or rec[EPOCH] == epoch + 1 and rec[SECRET] == secret then
  return answer('ok', MATCH_CURRENT, deltas)
end
if rec[EPOCH] ~= epoch then refused = {'renewed'} end
include 'work'
if refused then return refused end

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
include 'remember'
local reply = answer('ok', MATCH_CURRENT, stale)
include 'commit'
if notice ~= '' then call('PUBLISH', channel, notice) end
return reply
