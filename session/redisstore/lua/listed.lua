#!lua flags=no-writes
-- listed: reads the index.
-- Ends: the listing.
include 'index'
return listing()
