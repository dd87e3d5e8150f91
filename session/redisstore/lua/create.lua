#!lua
-- create: inserts a record that does not exist.
-- Ends: {exists}, {namespace|type|limit, space, key}, a conflict, or ok with
-- all values, for a retry of the same nonce too.
local secret, nonce = take(), take()
if lives then
  if nonce ~= '' and rec[NONCE] == nonce then return answer('ok', MATCH_CURRENT, 'all') end
  return {'exists'}
end
call('DEL', unpack(KEYS)) -- of a record that is dead by its fields alone

put(SECRET, secret)
put(NONCE, nonce)
put(USER, take())
put(DEVICE, take())
put(ADDRESS, take())
put(EPOCH, 1)
put(CREATED, now)
put(RENEWED, now)
if rec[USER] ~= '' then put(AUTHENTICATED, now) end
start()
take_deltas()
local refused = work()
if refused then return refused end
apply()
-- Before commit, since an expiry that has passed leaves nothing to read.
local reply = answer('ok', MATCH_CURRENT, 'all')
commit()
return reply
