#!lua
-- save: applies the deltas of one request or message, all or none.
-- Ends: {ended}, {renewed}, {namespace|type|limit, space, key}, a conflict
-- with the values of the changed namespaces, or ok with the values of those
-- that the caller cannot know.
local lives = read()
local epoch, mode, old, new = take(), take_number(), take(), take()
take_deltas()
if not lives then return {'ended'} end
if not first_time() then return answer('ok', MATCH_CURRENT, changed) end
if rec.epoch ~= epoch then return forget({'renewed'}) end
local refused = work()
if refused then return forget(refused) end

-- A retry finds the new hash in place and does nothing, and so does a holder
-- of the previous one. See load for the comparison.
if new ~= '' and rec.secret == old then
  put('previous', old)
  put('previous_kind', MATCH_RENEWED)
  put('previous_until', nil) -- until the new one is seen
  put('secret', new)
  put('renewed', now)
end
slide(mode) -- before apply: what it begins does not count yet
apply()
commit()
return answer('ok', MATCH_CURRENT, stale)
