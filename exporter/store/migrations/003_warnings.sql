ALTER TABLE errors ADD COLUMN warnings VARCHAR;     -- JSON array of texts; NULL: none
ALTER TABLE errors ADD COLUMN reported_at VARCHAR;  -- the timestamp as it was sent; NULL: `timestamp` is what it says
