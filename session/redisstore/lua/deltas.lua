-- Deltas: this reads which namespaces they change, work works them out without
-- changing anything, apply applies them.
--
-- Their arguments are a count, and for each delta its namespace, generation,
-- version, whether it clears, and how many keys it changes; then, for each, the
-- keys, and what to do with each key in turn: an operator and its operands.
local deltas, stale = {}, {}
local refused -- the reply when they cannot be applied
local fresh = false -- they cannot have been applied before: a version that they count from is the present one
for i = 1, take() do
  local place = take()
  local s = spaces[place]
  local generation, version = take(), take()
  local d = {
    space = s, place = place, key = s.key, clear = take() == 1, count = take(),
    set = false, gone = false, added = 0, size = 0, -- as work finds
  }
  deltas[i] = d
  local same = rec[s.at + SPACE_GENERATION] == generation
  if not same then refused = refused or {'namespace', place, ''} end
  if rec[s.at + SPACE_VERSION] ~= version then
    stale[#stale + 1] = d -- somebody else wrote since: the caller cannot know the values
  elseif same then
    fresh = true
  end
end
