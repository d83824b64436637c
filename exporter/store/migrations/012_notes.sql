-- The text of a note; NULL for every other entry.
ALTER TABLE audit ADD COLUMN note VARCHAR;
