-- The memory of ops: an op that was carried out is remembered, so that its retry is
-- answered and not carried out again. One that is refused is not, and may be
-- tried again.
--
-- The last ones stand in the book, one after another in a text. When that is full,
-- all of them go to a hash of their own at once: one of two, by the time. A hash
-- that is not written to for so long as an op is remembered expires, and so each
-- does while it is the other's turn, before its own comes again.
--
-- Whether an op was carried out has to be looked up only when deltas do not show
-- that it was not: to carry one out changes the version of each namespace in it.
local again = false
if op ~= '' and not fresh then
  local ops, at = rec[OPS] or '', 0
  repeat
    at = string.find(ops, op, at + 1, true)
    again = at and at % OP_BYTES == 1
  until again or not at
  if not again and (rec[OPS_MOVED] or 0) + OP_MEMORY > now then
    again = call('HMGET', KEYS[2 + #spaces], op)[1] or call('HMGET', KEYS[3 + #spaces], op)[1]
  end
end
