#!lua flags=allow-oom
-- load: reads a record with all values, and slides its deadlines. It goes on
-- when memory is full: sliding takes none.
-- Ends: {missing}, {unfit, match}, or ok with all values.
include 'family'
local secret, mode = take(), take()
if not lives then
  if replaced and secret ~= '' then return {'unfit', MATCH_ELEVATED} end
  return {'missing'}
end

-- Lua keeps one copy of each string, so == compares two pointers: its time
-- says nothing about how much of a hash fits.
local match = MATCH_CURRENT
if secret ~= '' and secret ~= rec[SECRET] then
  match = MATCH_NONE
  if secret == rec[PREVIOUS] and (not rec[PREVIOUS_UNTIL] or now < rec[PREVIOUS_UNTIL]) then
    match = rec[PREVIOUS_KIND]
  end
elseif secret ~= '' and rec[PREVIOUS] and not rec[PREVIOUS_UNTIL] then
  -- The client has the new secret: from now on the previous one runs out.
  rec[PREVIOUS_UNTIL] = now + RENEW_GRACE
  changed = true
end
if match ~= MATCH_CURRENT and match ~= MATCH_RENEWED then return {'unfit', match} end
include 'slide'
local reply = answer('ok', match, spaces)
include 'commit'
return reply
