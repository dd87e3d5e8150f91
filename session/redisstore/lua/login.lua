#!lua
-- login: gives a living record a new secret and a user, and raises its epoch.
-- With keep the secret and the epoch are all that is new.
-- Ends: as save.
if not lives then return {'ended'} end
local epoch, secret, keep, channel, notice = take(), take(), take() == '1', take(), take()
take_deltas()
local next_epoch = string.format('%.0f', epoch + 1)
local again = rec[EPOCH] == next_epoch and rec[SECRET] == secret
if again or not first_time() then return answer('ok', MATCH_CURRENT, 'changed') end
local refused = rec[EPOCH] ~= epoch and {'renewed'} or work()
if refused then return forget(refused) end

put(PREVIOUS, rec[SECRET])
put(PREVIOUS_KIND, MATCH_ELEVATED)
put(PREVIOUS_UNTIL, now + ELEVATE_GRACE)
put(SECRET, secret)
put(RENEWED, now)
put(EPOCH, next_epoch)
if keep then
  slide(SLIDE_ALWAYS)
else
  put(USER, take())
  put(DEVICE, take())
  put(ADDRESS, take())
  put(AUTHENTICATED, rec[USER] ~= '' and now)
  start()
end
apply()
-- Before commit, since an expiry that has passed leaves nothing to read.
local reply = answer('ok', MATCH_CURRENT, 'stale')
commit()
if notice ~= '' then call('PUBLISH', channel, notice) end
return reply
