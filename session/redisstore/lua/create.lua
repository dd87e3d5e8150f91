#!lua
-- create: inserts a record that does not exist.
-- Ends: {exists}, {namespace|type|limit, space, key}, a conflict, or ok with
-- all values, for a retry of the same nonce too.
include 'family'
local secret, nonce = take(), take()
if lives then
  if nonce ~= '' and rec[NONCE] == nonce then return answer('ok', MATCH_CURRENT, spaces) end
  return {'exists'}
end
call('DEL', unpack(KEYS)) -- of a record that is dead by its fields alone

rec[SECRET] = secret
rec[NONCE] = nonce
rec[USER] = take()
rec[DEVICE] = take()
rec[ADDRESS] = take()
rec[EPOCH] = 1
rec[CREATED] = now
rec[RENEWED] = now
rec[AUTHENTICATED] = rec[USER] ~= '' and now
include 'start'
local mode = SLIDE_ALWAYS
include 'slide'
include 'deltas'
include 'work'
if refused then return refused end
include 'apply'
local reply = answer('ok', MATCH_CURRENT, spaces)
include 'commit'
return reply
