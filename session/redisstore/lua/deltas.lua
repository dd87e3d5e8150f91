-- Deltas: this reads which namespaces they change, work works them out without
-- changing anything, apply applies them.
--
-- Their arguments are a count, and for each delta its namespace, generation,
-- version, whether it clears, and how many keys it changes; then, for each, the
-- keys, and what to do with each key in turn: an operator and its operands.
local deltas, stale = {}, {}
local refused -- the reply when they cannot be applied
for i = 1, take() do
  local place = tonumber(take())
  local s = spaces[place]
  local generation, version = tonumber(take()), tonumber(take())
  local d = {
    space = s, place = place, key = s.key, clear = take() == '1', count = tonumber(take()),
    set = false, gone = false, size = 0, -- as work finds
  }
  deltas[i] = d
  if rec[s.at + SPACE_GENERATION] ~= generation then refused = refused or {'namespace', place, ''} end
  -- Somebody else wrote since: the caller cannot know the values.
  if rec[s.at + SPACE_VERSION] ~= version then stale[#stale + 1] = d end
end
