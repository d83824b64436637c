-- Errors are deleted: by age, by the size of the database, and on request. Those that age or size delete leave sums by the
-- day, which are kept for a year. Reads of a time range count only the errors that are stored.
CREATE TABLE history_pattern (
    day         TIMESTAMP NOT NULL,
    fingerprint INTEGER   NOT NULL,
    severity    UTINYINT  NOT NULL,
    errors      BIGINT    NOT NULL
);
CREATE TABLE history_worker (
    day      TIMESTAMP NOT NULL,
    worker   INTEGER   NOT NULL,
    severity UTINYINT  NOT NULL,
    errors   BIGINT    NOT NULL
);

-- What is not deleted. A pinned pattern has a row for each fingerprint that it had when it was pinned; all fingerprints that
-- are now of a pattern with one of these are kept.
CREATE TABLE pinned_errors       (id BIGINT NOT NULL, pinned_at TIMESTAMP NOT NULL);
CREATE TABLE pinned_fingerprints (fingerprint VARCHAR NOT NULL, pinned_at TIMESTAMP NOT NULL);

-- The tables with blocks of reports, each with those from `first` to before `until` (report_tables.py). `report_blocks` has
-- those of before this version.
CREATE TABLE report_tables (
    name    VARCHAR NOT NULL,
    first   BIGINT  NOT NULL,
    until   BIGINT  NOT NULL,
    deleted BIGINT  NOT NULL  -- rows since the table was made or written again: their space is not free
);
INSERT INTO report_tables
SELECT 'report_blocks', min(block), max(block) + 1, 0 FROM report_blocks HAVING count(*) > 0;

-- Blocks of reports (id // 64) that may have reports of deleted errors.
CREATE TABLE stale_blocks (block BIGINT NOT NULL);

-- One row. How many errors that `counters` counts were deleted: the counters never go down.
CREATE TABLE deleted_errors (counted BIGINT NOT NULL);
INSERT INTO deleted_errors VALUES (0);

-- Deletions on request: who asked for what. `request` is JSON; `errors` grows with each step.
CREATE TABLE deletions (
    number    BIGINT    NOT NULL,
    begun_at  TIMESTAMP NOT NULL,
    address   VARCHAR   NOT NULL,
    request   VARCHAR   NOT NULL,
    errors    BIGINT    NOT NULL,
    ended_at  TIMESTAMP            -- NULL: it was interrupted, or goes on
);
