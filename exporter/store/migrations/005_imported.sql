ALTER TABLE errors ADD COLUMN imported BOOLEAN DEFAULT false;  -- an old error that was sent as an import
