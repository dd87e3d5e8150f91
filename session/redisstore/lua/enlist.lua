#!lua
-- enlist: lists an id and forgets listings that are older than any session.
-- It comes before a login and again after it: the second time brings back an
-- id that was taken out meanwhile, and tells whether the generation changed.
-- Ends: {generation}.
include 'index'
local id, life = ARGV[1], tonumber(ARGV[2])
call('ZADD', KEYS[1], now, id)

-- Lifetimes differ between logins, and an index does not know whose is whose:
-- the longest one counts for all. LOGIN_TIME is more than passes between a
-- listing and the login that follows it.
local longest = math.max(life, tonumber(call('HMGET', KEYS[2], 'life')[1]) or 0)
call('HSET', KEYS[2], 'life', longest)
call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('(%.0f', now - longest - LOGIN_TIME))
keep(KEYS[1], now + longest + LOGIN_TIME)
keep(KEYS[2], now + longest + LOGIN_TIME)
return {call('HMGET', KEYS[2], 'gen')[1] or '0'}
