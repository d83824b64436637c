-- Which run, which test and which devices an error belongs to, and the summaries of runs. Errors that were stored before
-- have none of it.
CREATE TABLE runs        (id INTEGER NOT NULL, name VARCHAR NOT NULL);
CREATE TABLE jobs        (id INTEGER NOT NULL, name VARCHAR NOT NULL);
CREATE TABLE suites      (id INTEGER NOT NULL, name VARCHAR NOT NULL);
CREATE TABLE branches    (id INTEGER NOT NULL, name VARCHAR NOT NULL);
CREATE TABLE commits     (id INTEGER NOT NULL, name VARCHAR NOT NULL);
CREATE TABLE users       (id INTEGER NOT NULL, name VARCHAR NOT NULL);
CREATE TABLE tests       (id INTEGER NOT NULL, name VARCHAR NOT NULL);
-- The devices of one error, joined by U+001F. A worker has few different sets.
CREATE TABLE device_sets (id INTEGER NOT NULL, name VARCHAR NOT NULL);

ALTER TABLE errors ADD COLUMN run       INTEGER DEFAULT NULL;
ALTER TABLE errors ADD COLUMN job       INTEGER DEFAULT NULL;
ALTER TABLE errors ADD COLUMN suite     INTEGER DEFAULT NULL;
ALTER TABLE errors ADD COLUMN branch    INTEGER DEFAULT NULL;
ALTER TABLE errors ADD COLUMN revision  INTEGER DEFAULT NULL;  -- of `commits`: COMMIT is a word of SQL
ALTER TABLE errors ADD COLUMN submitter INTEGER DEFAULT NULL;  -- of `users`: USER is a word of SQL
ALTER TABLE errors ADD COLUMN test      INTEGER DEFAULT NULL;
ALTER TABLE errors ADD COLUMN devices   INTEGER DEFAULT NULL;  -- of `device_sets`

-- Rollups. `workers` has a bit for each worker, in chunks of 64 workers, as in `seen_hour`. `errors` without a run, a test
-- or devices have rows, too, so that each rollup counts every error.
CREATE TABLE run_hour (
    t          TIMESTAMP NOT NULL,
    run        INTEGER,
    job        INTEGER,
    suite      INTEGER,
    branch     INTEGER,
    revision   INTEGER,
    submitter  INTEGER,
    severity   UTINYINT  NOT NULL,
    chunk      INTEGER   NOT NULL,
    errors     BIGINT    NOT NULL,
    workers    UBIGINT   NOT NULL,
    first_seen TIMESTAMP NOT NULL,
    last_seen  TIMESTAMP NOT NULL
);
CREATE TABLE run_day AS FROM run_hour;

CREATE TABLE test_hour (
    t          TIMESTAMP NOT NULL,
    test       INTEGER,
    chunk      INTEGER   NOT NULL,
    errors     BIGINT    NOT NULL,
    critical   BIGINT    NOT NULL,
    workers    UBIGINT   NOT NULL,
    first_seen TIMESTAMP NOT NULL,
    last_seen  TIMESTAMP NOT NULL
);
CREATE TABLE test_day AS FROM test_hour;

CREATE TABLE device_hour (
    t          TIMESTAMP NOT NULL,
    devices    INTEGER,
    chunk      INTEGER   NOT NULL,
    errors     BIGINT    NOT NULL,
    critical   BIGINT    NOT NULL,
    workers    UBIGINT   NOT NULL,
    first_seen TIMESTAMP NOT NULL,
    last_seen  TIMESTAMP NOT NULL
);
CREATE TABLE device_day AS FROM device_hour;

-- A summary that a sender gave of a run: how many of its tests passed, failed, were skipped or had an error.
CREATE TABLE run_summaries (
    run         INTEGER   NOT NULL,
    sender      INTEGER   NOT NULL,  -- of `workers`
    received_at TIMESTAMP NOT NULL,
    started_at  TIMESTAMP,
    finished_at TIMESTAMP,
    complete    BOOLEAN   NOT NULL,
    passed      BIGINT    NOT NULL,
    failed      BIGINT    NOT NULL,
    skipped     BIGINT    NOT NULL,
    errors      BIGINT    NOT NULL,
    details     VARCHAR   NOT NULL  -- JSON: job, suite, commit, branch, user, url; null for what was not sent
);
CREATE TABLE run_tests (
    run     INTEGER  NOT NULL,
    sender  INTEGER  NOT NULL,
    worker  INTEGER  NOT NULL,
    test    INTEGER  NOT NULL,
    outcome UTINYINT NOT NULL  -- 0 passed, 1 skipped, 2 failed, 3 error
);
-- One row, or none before the first summary: up to which summary of which log the tables have them.
CREATE TABLE summaries_read (identity VARCHAR NOT NULL, number BIGINT NOT NULL);

-- EACH DAY
-- The errors that the other rollups have.
INSERT INTO run_hour
SELECT time_bucket(INTERVAL 1 hour, timestamp), run, job, suite, branch, revision, submitter, severity, worker // 64,
       count(*), bit_or(1::UBIGINT << (worker % 64)::UBIGINT), min(timestamp), max(timestamp)
FROM errors WHERE timestamp >= $from AND timestamp < $to AND id <= (SELECT rolled FROM rolled_up)
GROUP BY ALL ORDER BY ALL;
INSERT INTO test_hour
SELECT time_bucket(INTERVAL 1 hour, timestamp), test, worker // 64,
       count(*), count(*) FILTER (severity = 2), bit_or(1::UBIGINT << (worker % 64)::UBIGINT), min(timestamp), max(timestamp)
FROM errors WHERE timestamp >= $from AND timestamp < $to AND id <= (SELECT rolled FROM rolled_up)
GROUP BY ALL ORDER BY ALL;
INSERT INTO device_hour
SELECT time_bucket(INTERVAL 1 hour, timestamp), devices, worker // 64,
       count(*), count(*) FILTER (severity = 2), bit_or(1::UBIGINT << (worker % 64)::UBIGINT), min(timestamp), max(timestamp)
FROM errors WHERE timestamp >= $from AND timestamp < $to AND id <= (SELECT rolled FROM rolled_up)
GROUP BY ALL ORDER BY ALL;
INSERT INTO run_day
SELECT time_bucket(INTERVAL 1 day, t), run, job, suite, branch, revision, submitter, severity, chunk,
       sum(errors), bit_or(workers), min(first_seen), max(last_seen)
FROM run_hour WHERE t >= $from AND t < $to AND $to::TIMESTAMP <= (SELECT sealed_days FROM rolled_up)
GROUP BY ALL ORDER BY ALL;
INSERT INTO test_day
SELECT time_bucket(INTERVAL 1 day, t), test, chunk, sum(errors), sum(critical), bit_or(workers), min(first_seen),
       max(last_seen)
FROM test_hour WHERE t >= $from AND t < $to AND $to::TIMESTAMP <= (SELECT sealed_days FROM rolled_up)
GROUP BY ALL ORDER BY ALL;
INSERT INTO device_day
SELECT time_bucket(INTERVAL 1 day, t), devices, chunk, sum(errors), sum(critical), bit_or(workers), min(first_seen),
       max(last_seen)
FROM device_hour WHERE t >= $from AND t < $to AND $to::TIMESTAMP <= (SELECT sealed_days FROM rolled_up)
GROUP BY ALL ORDER BY ALL;
