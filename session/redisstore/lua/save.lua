#!lua
-- save: applies the deltas of one request or message, all or none.
-- Ends: {ended}, {renewed}, {namespace|type|limit, space, key}, a conflict
-- with the values of the changed namespaces, or ok with the values of those
-- that the caller cannot know.
include 'family'
if not lives then return {'ended'} end
local op, epoch, mode, old, new = take(), take(), take(), take(), take()
include 'deltas'
include 'op'
if again then return answer('ok', MATCH_CURRENT, deltas) end
if rec[EPOCH] ~= epoch then refused = {'renewed'} end
include 'work'
if refused then return refused end

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
include 'remember'
local reply = answer('ok', MATCH_CURRENT, stale)
include 'commit'
return reply
