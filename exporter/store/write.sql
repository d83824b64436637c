-- name: settings
-- A checkpoint that also merges row groups stalls commits for seconds; small and without merging it takes milliseconds.
SET checkpoint_threshold = '16MB';
SET max_vacuum_tasks = 0;
SET TimeZone = 'UTC';
-- A start that is refused leaves the file as it was; a clean stop checkpoints by itself.
PRAGMA disable_checkpoint_on_shutdown;

-- name: roll_minutes
INSERT INTO rollup
SELECT date_trunc('minute', timestamp), worker_id, type, error_category, severity, hardware_type, hardware_error,
       fingerprint, count(*), count(*) FILTER (is_recurring), min(timestamp), max(timestamp)
FROM errors WHERE id > $projected
GROUP BY ALL;

-- name: roll_counters
INSERT INTO counters
SELECT worker_id, type, error_category, severity, hardware_type, count(*), min(timestamp), max(timestamp)
FROM errors WHERE id > $projected AND NOT coalesce(imported, false)
GROUP BY ALL ORDER BY min(id);

-- name: add_aliases
INSERT INTO aliases SELECT unnest($old), unnest($new);

-- name: set_position
UPDATE log_position SET position = $position;

-- name: bind
-- Ties the database to a log. Until the next clean stop the file alone is not complete.
UPDATE log_position SET identity = $identity, complete = false;

-- name: mark_complete
UPDATE log_position SET complete = true;

-- name: compact
-- Small appends pile up rows of one key; at start they are added up once.
CREATE TEMP TABLE totals AS
SELECT worker_id, type, error_category, severity, hardware_type,
       sum(errors)::BIGINT AS errors, min(first_seen) AS first_seen, max(last_seen) AS last_seen
FROM counters GROUP BY ALL ORDER BY min(rowid);
DELETE FROM counters;
INSERT INTO counters FROM totals;
DROP TABLE totals;

-- name: facts
-- The errors since a moment, added up by minute; those before the first full minute (`whole`) one by one.
CREATE OR REPLACE MACRO facts(since, whole) AS TABLE
SELECT minute, worker_id, type, error_category, severity, hardware_type, hardware_error, fingerprint, errors, recurring,
       first_seen, last_seen
FROM rollup WHERE minute >= whole
UNION ALL
SELECT date_trunc('minute', timestamp), worker_id, type, error_category, severity, hardware_type, hardware_error,
       fingerprint, 1, is_recurring::BIGINT, timestamp, timestamp
FROM errors WHERE timestamp >= since AND timestamp < whole;

-- name: pattern_facts
-- The same with the current id of each pattern.
CREATE OR REPLACE MACRO pattern_facts(since, whole) AS TABLE
SELECT f.*, coalesce(a.pattern_id, f.fingerprint) AS pattern_id
FROM facts(since, whole) f LEFT JOIN assignments a USING (fingerprint);
