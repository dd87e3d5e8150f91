-- The root's timeouts. The terms of a login take their place, and an expiry
-- that of the idle timeout; one with an end alone puts the lifetime there.
life = rec[TERMS_LIFE] or spaces[1].life
idle = rec[EXPIRY_IDLE] or rec[EXPIRY_END] and life or rec[TERMS_IDLE] or spaces[1].idle
