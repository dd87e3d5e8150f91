#!lua
-- login: gives a living record a new secret and a user, and raises its epoch.
-- Ends: as save.
local lives = read()
local epoch, secret, user, device = take(), take(), take(), take()
local terms_idle, terms_life, persistent = take(), take(), take()
local channel, notice = take(), take()
take_deltas()
if not lives then return {'ended'} end
local next_epoch = int(tonumber(epoch) + 1)
if rec.epoch == next_epoch and rec.secret == secret or not first_time() then
  return answer('ok', MATCH_CURRENT, changed)
end
if rec.epoch ~= epoch then return forget({'renewed'}) end
local refused = work()
if refused then return forget(refused) end

put('previous', rec.secret)
put('previous_kind', MATCH_ELEVATED)
put('previous_until', now + ELEVATE_GRACE)
put('secret', secret)
put('renewed', now)
put('epoch', next_epoch)
put('user', user)
put('device', device)
start(terms_idle, terms_life, persistent)
apply()
commit()
if notice ~= '' then redis.call('PUBLISH', channel, notice) end
return answer('ok', MATCH_CURRENT, stale)
