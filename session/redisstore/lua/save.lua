#!lua
-- save: applies the deltas of one request or message, all or none.
-- Ends: {ended}, {renewed}, {namespace|type|limit, space, key}, a conflict
-- with the values of the changed namespaces, or ok with the values of those
-- that the caller cannot know.
include 'family'
if not lives then return {'ended'} end
local epoch, mode, old, new = tonumber(take()), tonumber(take()), take(), take()
include 'deltas'
-- An op that was carried out is remembered, so that its retry is answered and
-- not carried out again. One that is refused is forgotten, and may be tried
-- again.
local op = KEYS[2 + #spaces]
if op and not call('SET', op, '1', 'NX', 'PX', OP_MEMORY) then
  return answer('ok', MATCH_CURRENT, deltas)
end
if rec[EPOCH] ~= epoch then refused = {'renewed'} end
include 'work'
if refused then
  if op then call('DEL', op) end
  return refused
end

-- A retry finds the new hash in place and does nothing, and so does a holder
-- of the previous one. See load for the comparison.
if new ~= '' and rec[SECRET] == old then
  rec[PREVIOUS] = old
  rec[PREVIOUS_KIND] = MATCH_RENEWED
  rec[PREVIOUS_UNTIL] = false -- until the new one is seen
  rec[SECRET] = new
  rec[RENEWED] = now
  changed = true
end
local expires = take() -- an expiry comes last, if there is one
if expires then
  include 'expiry'
  mode = SLIDE_ALWAYS
end
-- Before apply: what it begins does not count yet.
include 'slide'
include 'apply'
local reply = answer('ok', MATCH_CURRENT, stale)
include 'commit'
return reply
