#!lua
-- create: inserts a record that does not exist.
-- Ends: {exists}, {namespace|type|limit, space, key}, a conflict, or ok with
-- all values, for a retry of the same nonce too.
local lives = read()
local secret, nonce, user, device = take(), take(), take(), take()
local terms_idle, terms_life, persistent = take(), take(), take()
take_deltas()

if lives then
  if nonce ~= '' and rec.nonce == nonce then return answer('ok', MATCH_CURRENT, all) end
  return {'exists'}
end
redis.call('DEL', unpack(KEYS)) -- of a record that is dead by its fields alone

put('secret', secret)
put('nonce', nonce)
put('user', user)
put('device', device)
put('epoch', 1)
put('created', now)
put('renewed', now)
start(terms_idle, terms_life, persistent)
local refused = work()
if refused then return refused end
apply()
commit()
return answer('ok', MATCH_CURRENT, all)
