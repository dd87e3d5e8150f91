#!lua
-- save: applies the deltas of one request or message, all or none.
-- Ends: {ended}, {renewed}, {namespace|type|limit, space, key}, a conflict
-- with the values of the changed namespaces, or ok with the values of those
-- that the caller cannot know.
if not lives then return {'ended'} end
local epoch, mode, old, new = take(), tonumber(take()), take(), take()
take_deltas()
if not first_time() then return answer('ok', MATCH_CURRENT, 'changed') end
local refused = rec[EPOCH] ~= epoch and {'renewed'} or work()
if refused then return forget(refused) end

-- A retry finds the new hash in place and does nothing, and so does a holder
-- of the previous one. See load for the comparison.
if new ~= '' and rec[SECRET] == old then
  put(PREVIOUS, old)
  put(PREVIOUS_KIND, MATCH_RENEWED)
  put(PREVIOUS_UNTIL, false) -- until the new one is seen
  put(SECRET, new)
  put(RENEWED, now)
end
if take() then -- an expiry comes last, if there is one
  take_expiry()
  mode = SLIDE_ALWAYS
end
slide(mode) -- before apply: what it begins does not count yet
apply()
-- Before commit, since an expiry that has passed leaves nothing to read.
local reply = answer('ok', MATCH_CURRENT, 'stale')
commit()
return reply
