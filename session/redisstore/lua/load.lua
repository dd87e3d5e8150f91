#!lua flags=allow-oom
-- load: reads a record with all values, and slides its deadlines. It goes on
-- when memory is full: sliding takes none.
-- Ends: {missing}, {unfit, match}, or ok with all values.
local lives = read()
local secret, mode = take(), take_number()
if not lives then
  if replaced and secret ~= '' then return {'unfit', MATCH_ELEVATED} end
  return {'missing'}
end

-- Lua keeps one copy of each string, so == compares two pointers: its time
-- says nothing about how much of a hash fits.
local match = MATCH_CURRENT
if secret ~= '' and secret ~= rec.secret then
  match = MATCH_NONE
  if secret == rec.previous and (rec.previous_until == nil or now < number('previous_until')) then
    match = tonumber(rec.previous_kind)
  end
elseif secret ~= '' and rec.previous and rec.previous_until == nil then
  -- The client has the new secret: from now on the previous one runs out.
  put('previous_until', now + RENEW_GRACE)
end
if match ~= MATCH_CURRENT and match ~= MATCH_RENEWED then return {'unfit', match} end
slide(mode)
commit()
return answer('ok', match, all)
