-- Statements of deleting.py, retention.py, delete.py, templates.py and pin.py in exporter/store. Python replaces
-- {condition}, {table} and {key}.

-- name: choose
CREATE OR REPLACE TEMP TABLE gone AS
SELECT id, worker, fingerprint, severity, imported FROM errors
WHERE timestamp >= $since AND timestamp < $until AND id <= $rolled AND ({condition});

-- name: count
SELECT count(*) FROM gone;

-- name: delete
DELETE FROM errors WHERE timestamp >= $since AND timestamp < $until AND id <= $rolled AND ({condition});

-- name: copy_kept
CREATE OR REPLACE TEMP TABLE kept AS
SELECT * FROM errors WHERE timestamp >= $since AND timestamp < $until AND id <= $rolled;

-- name: delete_kept
DELETE FROM errors WHERE timestamp >= $since AND timestamp < $until AND id <= $rolled;

-- name: count_deleted
UPDATE deleted_errors SET counted = counted + (SELECT count(*) FROM gone WHERE NOT imported);

-- name: add_stale_blocks
INSERT INTO stale_blocks
SELECT DISTINCT id // 64 AS block FROM gone WHERE block NOT IN (FROM stale_blocks) ORDER BY 1;

-- name: add_history
-- All errors are of one day.
CREATE OR REPLACE TEMP TABLE merged AS
SELECT {key}, severity, sum(errors)::BIGINT AS errors
FROM (
    SELECT {key}, severity, errors FROM {table} WHERE day = $day
    UNION ALL
    SELECT {key}, severity, 1 FROM gone
)
GROUP BY ALL ORDER BY ALL;
DELETE FROM {table} WHERE day = $day;
INSERT INTO {table} SELECT $day, * FROM merged;

-- name: oldest
-- The oldest error before a moment, and the highest id of those errors.
SELECT min(timestamp), max(id) FROM errors WHERE timestamp < $before AND {condition};

-- name: minutes
-- The errors of each minute, from the oldest, which are counted already.
SELECT t, sum(errors)::BIGINT FROM time_minute WHERE t >= $since AND t < $until GROUP BY t ORDER BY t;

-- name: pinned
-- The integers of all fingerprints of pinned patterns.
SELECT n.id FROM fingerprints n LEFT JOIN assignments a ON a.fingerprint = n.name
WHERE coalesce(a.pattern_id, n.name) IN (
    SELECT coalesce(a.pattern_id, p.fingerprint) FROM pinned_fingerprints p LEFT JOIN assignments a USING (fingerprint)
);

-- name: stale
SELECT block FROM stale_blocks WHERE block < (SELECT min(block) FROM stale_blocks) + $within ORDER BY block LIMIT $limit;

-- name: ids_in_blocks
SELECT id // 64 AS block, list(id) FROM errors
WHERE id >= $first * 64 AND id < $end * 64 AND block IN (SELECT unnest($blocks::BIGINT[])) GROUP BY 1;

-- name: forget_reports
DELETE FROM single_reports
WHERE id >= $first * 64 AND id < $end * 64 AND id // 64 IN (SELECT unnest($blocks::BIGINT[]))
      AND id NOT IN (SELECT unnest($alive::BIGINT[]));

-- name: forget_stale
DELETE FROM stale_blocks WHERE block >= $first AND block < $end AND block IN (SELECT unnest($blocks::BIGINT[]));

-- name: used_bytes
SELECT block_size * used_blocks FROM pragma_database_size() WHERE database_name = current_database();

-- name: every_minute
SELECT date_trunc('minute', timestamp), count(*) FROM errors WHERE {condition} GROUP BY 1 ORDER BY 1;

-- name: latest_minutes
-- The errors of each minute, from the latest.
SELECT t, sum(errors)::BIGINT FROM time_minute WHERE t >= $since AND t <= $until GROUP BY t ORDER BY t DESC;

-- name: begin
INSERT INTO deletions
SELECT coalesce(max(number), 0) + 1, $at, $address, $request, 0, NULL FROM deletions RETURNING number;

-- name: add_deleted
UPDATE deletions SET errors = errors + $deleted WHERE number = $number;

-- name: end
UPDATE deletions SET ended_at = $at WHERE number = $number;

-- name: list
SELECT number, begun_at, ended_at, address, request, errors FROM deletions ORDER BY number DESC LIMIT $limit;

-- name: of_rows
SELECT id, timestamp FROM errors WHERE rowid IN (SELECT unnest($rowids::BIGINT[]));

-- name: pin_error
INSERT INTO pinned_errors VALUES ($id, $at);

-- name: unpin_error
DELETE FROM pinned_errors WHERE id = $id;

-- name: pin_pattern
INSERT INTO pinned_fingerprints SELECT unnest($members::VARCHAR[]), $at;

-- name: unpin_pattern
DELETE FROM pinned_fingerprints WHERE fingerprint IN (SELECT unnest($members::VARCHAR[]));

-- name: lost
-- Those fingerprints of the deleted errors that have no error any more.
SELECT DISTINCT fingerprint FROM gone
EXCEPT
SELECT DISTINCT fingerprint FROM errors WHERE fingerprint IN (SELECT DISTINCT fingerprint FROM gone);

-- name: delete_templates
-- `base_id` is the family, or the fingerprint. A pattern has fingerprints of several families after a decision by hand.
CREATE OR REPLACE TEMP TABLE forgotten AS
WITH alive AS (
    SELECT pattern_id, base_id FROM assignments JOIN fingerprints ON name = fingerprint
    WHERE id IN (SELECT DISTINCT fingerprint FROM errors)
),
touched AS (
    SELECT pattern_id, base_id FROM assignments JOIN fingerprints ON name = fingerprint
    WHERE id IN (SELECT DISTINCT fingerprint FROM gone)
)
SELECT fingerprint, base_id FROM assignments
WHERE (pattern_id IN (SELECT pattern_id FROM touched) OR base_id IN (SELECT base_id FROM touched))
      AND pattern_id NOT IN (SELECT pattern_id FROM alive) AND base_id NOT IN (SELECT base_id FROM alive);
UPDATE patterns SET pattern = '' WHERE fingerprint IN (SELECT fingerprint FROM forgotten);
DELETE FROM families WHERE base_id IN (SELECT base_id FROM forgotten);
DROP TABLE forgotten

-- name: without_template
SELECT DISTINCT fingerprint FROM patterns WHERE pattern = '';

-- name: restore_templates
UPDATE patterns SET pattern = new.template
FROM (SELECT unnest($fingerprints) AS fingerprint, unnest($templates) AS template) new
WHERE patterns.fingerprint = new.fingerprint;
