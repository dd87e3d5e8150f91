#!lua flags=allow-oom
-- unlist: removes ids that have been listed for so long or longer, in
-- milliseconds. One that a login has listed again meanwhile stays.
-- Ends: {}.
include 'common'

for i = 2, #ARGV do
  local at = call('ZSCORE', KEYS[1], ARGV[i])
  if at and now - tonumber(at) >= tonumber(ARGV[1]) then call('ZREM', KEYS[1], ARGV[i]) end
end
return {}
