-- name: settings
-- A checkpoint that also merges row groups stalls commits for seconds; small and without merging it takes milliseconds.
SET checkpoint_threshold = '16MB';
SET max_vacuum_tasks = 0;
SET TimeZone = 'UTC';
-- One statement groups by severity, category, type and hardware for the facets. With 16 bits DuckDB groups without hashing.
SET GLOBAL perfect_ht_threshold = 16;
-- A start that is refused leaves the file as it was; a clean stop checkpoints by itself.
PRAGMA disable_checkpoint_on_shutdown;

-- name: hold
-- Of a backup that copies the file. Commits that were not checkpointed are in memory or in the folder for temporary files.
SET checkpoint_threshold = '512MB';

-- name: release
SET checkpoint_threshold = '16MB';

-- name: single_reports
SELECT id, report FROM single_reports WHERE id >= $first AND id < $end;

-- name: single_report_sizes
SELECT id, strlen(report) FROM single_reports WHERE id >= $first AND id < $end ORDER BY id;

-- name: forget_single_reports
DELETE FROM single_reports WHERE id >= $first AND id < $end;

-- name: oldest_single_report
SELECT min(id) FROM single_reports;

-- name: add_aliases
INSERT INTO aliases SELECT unnest($old), unnest($new);

-- name: forget_unused_texts
DELETE FROM texts WHERE id NOT IN (SELECT DISTINCT text FROM errors);

-- name: forget_unused_names
-- The newest name stays: the integer of the next one is above it, so none is used twice.
DELETE FROM {table} WHERE id < (SELECT max(id) FROM {table})
                          AND id NOT IN (SELECT {column} FROM errors WHERE {column} IS NOT NULL{more});

-- name: set_position
UPDATE log_position SET position = $position;

-- name: bind
-- Ties the database to a log. Until the next clean stop the file alone is not complete.
UPDATE log_position SET identity = $identity, complete = false;

-- name: mark_complete
UPDATE log_position SET complete = true;

-- name: rolled_times
-- The oldest time and the newest receipt of the errors.
SELECT min(timestamp), max(received_at) FROM errors WHERE id > $above AND id <= $upto;

-- name: roll_counters
INSERT INTO counters
SELECT worker, type, category, severity, hardware, count(*), min(timestamp), max(timestamp), min(id)
FROM errors WHERE id > $above AND id <= $upto AND NOT imported
GROUP BY ALL;

-- name: merge_counters
CREATE OR REPLACE TEMP TABLE merged AS
SELECT worker, type, category, severity, hardware, sum(errors)::BIGINT, min(first_seen), max(last_seen), min(first_id)
FROM counters GROUP BY ALL;
DELETE FROM counters;
INSERT INTO counters FROM merged;

-- name: set_rolled
UPDATE rolled_up SET rolled = $upto;

-- name: differing_counters
-- The number of keys that count fewer errors than there are; if there are none, 1 if the sum of all is not that of the stored
-- and the deleted errors.
WITH held AS (
    SELECT worker, type, category, severity, hardware, sum(errors)::BIGINT AS errors, min(first_seen) AS first_seen,
           max(last_seen) AS last_seen, min(first_id) AS first_id
    FROM counters GROUP BY ALL
),
stored AS (
    SELECT worker, type, category, severity, hardware, count(*) AS errors, min(timestamp) AS first_seen,
           max(timestamp) AS last_seen, min(id) AS first_id
    FROM errors WHERE id <= $rolled AND NOT imported GROUP BY ALL
),
too_few AS (
    SELECT s.worker FROM stored s LEFT JOIN held h
    ON s.worker = h.worker AND s.type = h.type AND s.category = h.category AND s.severity = h.severity
       AND s.hardware IS NOT DISTINCT FROM h.hardware
    WHERE h.errors IS NULL OR h.errors < s.errors OR h.first_seen > s.first_seen OR h.last_seen < s.last_seen
          OR h.first_id > s.first_id
)
SELECT greatest((SELECT count(*) FROM too_few), (
    (SELECT coalesce(sum(errors), 0) FROM held)
    != (SELECT coalesce(sum(errors), 0) FROM stored) + (SELECT counted FROM deleted_errors)
)::BIGINT);

-- name: keep_counts_of_deleted
-- The counters keep only what they count of deleted errors, so that all stored errors can be added again. It is not known when
-- these happened: `first_seen` and `last_seen` stay.
CREATE OR REPLACE TEMP TABLE merged AS
WITH stored AS (
    SELECT worker, type, category, severity, hardware, count(*) AS errors
    FROM errors WHERE id <= $rolled AND NOT imported GROUP BY ALL
)
SELECT h.* REPLACE (h.errors - coalesce(s.errors, 0) AS errors) FROM (
    SELECT worker, type, category, severity, hardware, sum(errors)::BIGINT AS errors, min(first_seen) AS first_seen,
           max(last_seen) AS last_seen, min(first_id) AS first_id
    FROM counters GROUP BY ALL
) h LEFT JOIN stored s
ON s.worker = h.worker AND s.type = h.type AND s.category = h.category AND s.severity = h.severity
   AND s.hardware IS NOT DISTINCT FROM h.hardware
WHERE h.errors > coalesce(s.errors, 0) AND (SELECT counted FROM deleted_errors) > 0;
DELETE FROM counters;
INSERT INTO counters FROM merged;
UPDATE deleted_errors SET counted = (SELECT coalesce(sum(errors), 0) FROM counters);

-- name: count_again
UPDATE rolled_up SET rolled = 0, sealed_hours = TIMESTAMP '1970-01-01', sealed_days = TIMESTAMP '1970-01-01';

-- name: ids_of_errors
SELECT id FROM errors WHERE id >= $first AND id < $end ORDER BY id;
