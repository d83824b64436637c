-- What stands in braces is filled in by Python: {time}, {kind}, {worker}, {pattern} and {seen} are queries for the rows of
-- these rollups in the time range (rollup_tables.py), {matching} is the condition of the filters (matching.py).

-- name: over_time
-- By the bucket, with the groups that the page counts. Their sums are the summary.
WITH groups AS (
    SELECT id, starts_with(name, 'RESOURCE_') AS is_resource, starts_with(name, 'NETWORK_') AS is_network,
           starts_with(name, 'WORKER_') AS is_worker, starts_with(name, 'TEST_') AS is_test
    FROM categories
),
sums AS (
    SELECT time_bucket(to_seconds($bucket), t) AS timestamp, severity, category, hardware_error,
           sum(errors) AS errors, sum(recurring) AS recurring
    FROM ({time}) GROUP BY ALL
)
SELECT timestamp,
       coalesce(sum(errors) FILTER (severity = 2), 0)::BIGINT                    AS critical,
       coalesce(sum(errors) FILTER (severity = 1), 0)::BIGINT                    AS warning,
       coalesce(sum(errors) FILTER (severity = 0), 0)::BIGINT                    AS info,
       coalesce(sum(errors) FILTER (is_resource), 0)::BIGINT                     AS resource,
       coalesce(sum(errors) FILTER (is_network), 0)::BIGINT                      AS network,
       coalesce(sum(errors) FILTER (hardware_error AND severity = 2), 0)::BIGINT AS critical_hardware,
       coalesce(sum(recurring), 0)::BIGINT                                       AS recurring,
       coalesce(sum(errors) FILTER (hardware_error), 0)::BIGINT                  AS hardware,
       coalesce(sum(errors) FILTER (is_worker), 0)::BIGINT                       AS worker,
       coalesce(sum(errors) FILTER (is_test), 0)::BIGINT                         AS test
FROM sums JOIN groups ON groups.id = category
GROUP BY 1 ORDER BY 1;

-- name: critical_since
SELECT coalesce(sum(errors), 0)::BIGINT AS errors FROM ({time}) WHERE severity = 2;

-- name: critical_now
-- Workers with critical errors, the one with most first.
SELECT w.name AS worker_id, errors
FROM (SELECT worker, count(*) AS errors FROM errors WHERE timestamp >= $since AND severity = 2 GROUP BY 1)
     JOIN workers w ON w.id = worker
ORDER BY 2 DESC, 1;

-- name: categories
SELECT c.name AS category, count
FROM (SELECT category, sum(errors)::BIGINT AS count FROM ({time}) GROUP BY 1) JOIN categories c ON c.id = category
ORDER BY 2 DESC, 1;

-- name: workers
-- `most` has the errors of a worker's most frequent type, and in its last 20 bits the place of the type by its name.
WITH ranked AS (SELECT name, row_number() OVER (ORDER BY name) AS place, id FROM types),
by_type AS (
    SELECT worker, type, sum(errors)::BIGINT AS errors, max(last_seen) AS last_seen,
           sum(CASE severity WHEN 2 THEN errors ELSE 0 END) AS critical, max(severity) AS severity
    FROM ({worker}) GROUP BY ALL
),
by_worker AS (
    SELECT worker, sum(errors)::BIGINT AS errors, sum(critical)::BIGINT AS critical, max(last_seen) AS last_seen,
           max(severity) AS severity, max(by_type.errors << 20 | place) AS most
    FROM by_type JOIN ranked ON ranked.id = type GROUP BY worker
)
SELECT w.name AS worker_id, errors AS error_count, critical AS critical_errors, ranked.name AS most_common_error,
       last_seen AS last_error_time,
       CASE severity WHEN 2 THEN 'critical' WHEN 1 THEN 'warning' ELSE 'stable' END AS status
FROM by_worker JOIN workers w ON w.id = worker JOIN ranked ON ranked.place = most & 1048575
ORDER BY error_count DESC, worker_id LIMIT $limit;

-- name: hardware
-- Percent and °C, over the reports that have the measurement.
WITH by_type AS (
    SELECT hardware, t.name AS type, sum(errors) AS errors, max(severity) AS severity,
           sum(CASE severity WHEN 2 THEN errors ELSE 0 END) AS critical, sum(cpu) AS cpu, sum(cpu_reports) AS cpu_reports,
           sum(memory) AS memory, sum(memory_reports) AS memory_reports, sum(disk) AS disk,
           sum(disk_reports) AS disk_reports, max(gpu_celsius) AS gpu_celsius, sum(overheating) AS overheating,
           sum(memory_pressure) AS memory_pressure, sum(throttling) AS throttling
    FROM ({kind}) k JOIN types t ON t.id = k.type WHERE hardware IS NOT NULL GROUP BY ALL
)
SELECT h.name AS hardware_type, sum(errors)::BIGINT AS error_count, sum(critical)::BIGINT AS critical_errors,
       arg_max(type, (errors, type)) AS most_common_error,
       CASE max(severity) WHEN 2 THEN 'critical' WHEN 1 THEN 'warning' ELSE 'stable' END AS status,
       sum(cpu) / nullif(sum(cpu_reports), 0) AS cpu_percent,
       sum(memory) / nullif(sum(memory_reports), 0) AS memory_percent,
       sum(disk) / nullif(sum(disk_reports), 0) AS disk_percent,
       max(gpu_celsius) AS max_gpu_celsius,
       sum(overheating)::BIGINT AS overheating, sum(memory_pressure)::BIGINT AS memory_pressure,
       sum(throttling)::BIGINT AS throttling
FROM by_type JOIN hardware_types h ON h.id = hardware
GROUP BY 1 ORDER BY error_count DESC, hardware_type LIMIT $limit;

-- name: facets
-- What fills the last place are queries like `facet`, joined by UNION ALL.
WITH counts AS MATERIALIZED (SELECT {columns}, {added} AS errors FROM {source} WHERE {matching} GROUP BY ALL)
{facets};

-- name: facet
SELECT '{facet}' AS facet, name AS value, sum(errors)::BIGINT AS errors FROM counts JOIN {names} n ON n.id = counts.{column}
WHERE {matching} GROUP BY value

-- name: size
SELECT count(*) AS errors, min(timestamp) AS oldest FROM errors;

-- name: newest
SELECT rowid, id, timestamp, ({certain}) AS is_certain FROM errors
WHERE {matching} ORDER BY timestamp DESC, id DESC LIMIT $limit;

-- name: errors
-- The pattern id is the current one. The names are joined afterwards: else each column is read of all errors.
WITH found AS MATERIALIZED (SELECT * FROM errors WHERE {matching})
SELECT e.id, event_id, timestamp, received_at, w.name AS worker_id, t.name AS type, c.name AS error_category, message,
       severity_name(severity) AS severity, reasons, f.name AS fingerprint, coalesce(pattern_id, f.name) AS pattern_id,
       coalesce(warnings, '[]') AS warnings, reported_at, imported, is_recurring, is_system_critical,
       hardware_error AS is_hardware_error
FROM found e
     JOIN workers w ON w.id = e.worker
     JOIN types t ON t.id = e.type
     JOIN categories c ON c.id = e.category
     JOIN fingerprints f ON f.id = e.fingerprint
     LEFT JOIN assignments a ON a.fingerprint = f.name
ORDER BY timestamp DESC, e.id DESC;

-- name: recent_critical
-- With the pattern id of when the event was accepted, so that a restart continues its alert.
SELECT id, event_id, timestamp, received_at, worker_id, type, error_category AS category, message, severity, reasons,
       fingerprint, accepted_pattern_id AS pattern_id, type AS pattern, is_recurring, is_system_critical, hardware_type,
       hardware_error
FROM named_errors
WHERE received_at >= $since AND id > $above AND severity = 'critical' AND NOT imported
ORDER BY id DESC LIMIT $limit;

-- name: outcome
-- As its sender was told.
SELECT id, event_id, severity, reasons, fingerprint, accepted_pattern_id AS pattern_id, warnings
FROM named_errors WHERE id = $id;

-- name: find_outcome
-- A repeat carries the timestamp of the first, so that few row groups have to be read.
SELECT id, event_id, severity, reasons, fingerprint, accepted_pattern_id AS pattern_id, warnings
FROM named_errors
WHERE timestamp = $timestamp AND event_id = $event_id AND worker_id = $worker_id LIMIT 1;

-- name: find_outcome_reported
-- The same for a timestamp that was not believed: the first counts at its receipt.
SELECT id, event_id, severity, reasons, fingerprint, accepted_pattern_id AS pattern_id, warnings
FROM named_errors
WHERE reported_at = $reported_at AND event_id = $event_id AND worker_id = $worker_id LIMIT 1;

-- name: counters
-- In order of arrival: after a restart, the same workers and types keep their own labels.
SELECT w.name, t.name, c.name, severity_name(severity), h.name, errors, first_seen, last_seen
FROM (
    SELECT worker, type, category, severity, hardware, sum(errors)::BIGINT AS errors, min(first_seen) AS first_seen,
           max(last_seen) AS last_seen, min(first_id) AS first_id
    FROM (
        FROM counters
        UNION ALL
        SELECT worker, type, category, severity, hardware, 1, timestamp, timestamp, id
        FROM errors WHERE id > (SELECT rolled FROM rolled_up) AND NOT imported
    )
    GROUP BY ALL
) s
JOIN workers w ON w.id = s.worker JOIN types t ON t.id = s.type JOIN categories c ON c.id = s.category
LEFT JOIN hardware_types h ON h.id = s.hardware
ORDER BY first_id;

-- name: recent_event_ids
SELECT w.name, event_id, e.id, received_at FROM errors e JOIN workers w ON w.id = e.worker WHERE e.id > $above ORDER BY e.id;

-- name: log_position
SELECT identity, position, complete, (SELECT any_value(event_id) FROM errors WHERE id = position) AS last_event_id
FROM log_position;

-- name: recurrences
WITH times AS (
    SELECT fingerprint, list_sort(max(timestamp, $times)) AS times FROM errors WHERE timestamp >= $since GROUP BY 1
),
named AS (
    SELECT coalesce(pattern_id, name) AS pattern_id, unnest(times) AS timestamp
    FROM times JOIN fingerprints f ON f.id = times.fingerprint LEFT JOIN assignments a ON a.fingerprint = f.name
)
SELECT pattern_id, list_sort(max(timestamp, $times)) FROM named GROUP BY 1;

-- name: seconds
-- Critical errors by the second in which they happened.
SELECT epoch(date_trunc('second', timestamp))::BIGINT, count(*) FROM errors
WHERE timestamp >= $since AND severity = 2 GROUP BY 1 ORDER BY 1;

-- name: received_seconds
-- All errors by the second in which they were received.
SELECT epoch(date_trunc('second', received_at))::BIGINT, count(*) FROM errors
WHERE received_at >= $since AND NOT imported GROUP BY 1 ORDER BY 1;

-- name: known_patterns
SELECT DISTINCT fingerprint FROM patterns;

-- name: old_patterns
-- Those of fingerprint version 1.
SELECT fingerprint FROM patterns GROUP BY fingerprint HAVING max(scope) IS NULL;

-- name: reset_at
SELECT max(reset_at) AS reset_at FROM marks;

-- name: found_texts
SELECT id FROM texts WHERE contains(text, $shape);
