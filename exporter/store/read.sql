-- What stands in braces is filled in by select.py. {resource}, {network}, {worker} and {test} are the conditions by which
-- a category belongs to the group.

-- name: summary
SELECT coalesce(sum(errors), 0)::BIGINT                                                   AS total_errors,
       coalesce(sum(recurring), 0)::BIGINT                                                AS recurring_errors,
       coalesce(sum(errors) FILTER ({resource}), 0)::BIGINT                               AS resource_errors,
       coalesce(sum(errors) FILTER ({network}), 0)::BIGINT                                AS network_errors,
       coalesce(sum(errors) FILTER (hardware_error), 0)::BIGINT                           AS hardware_errors,
       coalesce(sum(errors) FILTER (hardware_error AND severity = 'critical'), 0)::BIGINT AS critical_hardware_errors,
       coalesce(sum(errors) FILTER (severity = 'critical'), 0)::BIGINT                    AS critical_errors,
       coalesce(sum(errors) FILTER (severity = 'warning'), 0)::BIGINT                     AS warning_errors,
       coalesce(sum(errors) FILTER (severity = 'info'), 0)::BIGINT                        AS info_errors,
       coalesce(sum(errors) FILTER ({worker}), 0)::BIGINT                                 AS worker_errors,
       coalesce(sum(errors) FILTER ({test}), 0)::BIGINT                                   AS test_errors
FROM facts($since, $whole);

-- name: critical_since
SELECT coalesce(sum(errors), 0)::BIGINT AS errors FROM facts($since, $whole) WHERE severity = 'critical';

-- name: critical_now
-- Workers with critical errors, the one with most first.
SELECT worker_id, count(*) AS errors
FROM errors WHERE timestamp >= $since AND severity = 'critical'
GROUP BY 1 ORDER BY 2 DESC, 1;

-- name: categories
SELECT error_category AS category, sum(errors)::BIGINT AS count
FROM facts($since, $whole)
GROUP BY 1 ORDER BY 2 DESC, 1;

-- name: time_series
SELECT time_bucket(to_seconds($bucket), minute) AS timestamp,
       coalesce(sum(errors) FILTER (severity = 'critical'), 0)::BIGINT                    AS critical,
       coalesce(sum(errors) FILTER (severity = 'warning'), 0)::BIGINT                     AS warning,
       coalesce(sum(errors) FILTER (severity = 'info'), 0)::BIGINT                        AS info,
       coalesce(sum(errors) FILTER ({resource}), 0)::BIGINT                               AS resource,
       coalesce(sum(errors) FILTER ({network}), 0)::BIGINT                                AS network,
       coalesce(sum(errors) FILTER (hardware_error AND severity = 'critical'), 0)::BIGINT AS critical_hardware,
       coalesce(sum(recurring), 0)::BIGINT                                                AS recurring
FROM facts($since, $whole)
GROUP BY 1 ORDER BY 1;

-- name: workers
WITH by_type AS (
    SELECT worker_id, type, sum(errors) AS errors, max(last_seen) AS last_seen,
           coalesce(sum(errors) FILTER (severity = 'critical'), 0) AS critical,
           coalesce(sum(errors) FILTER (severity = 'warning'), 0) AS warning
    FROM facts($since, $whole) GROUP BY ALL
)
SELECT worker_id, sum(errors)::BIGINT AS error_count, sum(critical)::BIGINT AS critical_errors,
       arg_max(type, (errors, type)) AS most_common_error, max(last_seen) AS last_error_time,
       CASE WHEN sum(critical) > 0 THEN 'critical' WHEN sum(warning) > 0 THEN 'warning' ELSE 'stable' END AS status
FROM by_type GROUP BY worker_id ORDER BY error_count DESC, worker_id LIMIT $limit;

-- name: hardware
WITH by_type AS (
    SELECT hardware_type, type, sum(errors) AS errors,
           coalesce(sum(errors) FILTER (severity = 'critical'), 0) AS critical,
           coalesce(sum(errors) FILTER (severity = 'warning'), 0) AS warning
    FROM facts($since, $whole) WHERE hardware_type IS NOT NULL GROUP BY ALL
)
SELECT hardware_type, sum(errors)::BIGINT AS error_count, sum(critical)::BIGINT AS critical_errors,
       arg_max(type, (errors, type)) AS most_common_error,
       CASE WHEN sum(critical) > 0 THEN 'critical' WHEN sum(warning) > 0 THEN 'warning' ELSE 'stable' END AS status
FROM by_type GROUP BY hardware_type ORDER BY error_count DESC, hardware_type LIMIT $limit;

-- name: hardware_metrics
-- Percent and °C, over the reports that have the measurement.
SELECT hardware_type,
       avg(cpu_percent) AS cpu_percent, avg(memory_percent) AS memory_percent, avg(disk_percent) AS disk_percent,
       max(gpu_celsius) AS max_gpu_celsius,
       count(*) FILTER (contains(conditions, 'overheating')) AS overheating,
       count(*) FILTER (contains(conditions, 'memory_pressure')) AS memory_pressure,
       count(*) FILTER (contains(conditions, 'throttling')) AS throttling
FROM errors WHERE timestamp >= $since AND hardware_type IS NOT NULL
GROUP BY 1;

-- name: matching
-- The condition by which an error matches the filters. It is no statement of its own: others include it.
      timestamp >= $since
      AND ($severity IS NULL OR list_contains($severity, severity))
      AND ($category IS NULL OR list_contains($category, error_category))
      AND ($worker IS NULL OR list_contains($worker, worker_id))
      AND ($type IS NULL OR list_contains($type, type))
      AND ($fingerprint IS NULL OR fingerprint = $fingerprint)
      AND ($pattern IS NULL OR list_contains($pattern, fingerprint))
      AND ($hardware IS NULL OR list_contains($hardware, hardware_type))
      AND ($group IS NULL OR {any_group})
      AND ($q IS NULL OR contains(lower(message), $q) OR contains(lower(type), $q)
           OR contains(lower(worker_id), $q) OR contains(lower(error_category), $q))

-- name: facet
-- The most frequent values of a column among the errors that match.
SELECT {column} AS value, count(*) AS count
FROM errors WHERE {matching} AND {column} IS NOT NULL
GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT $limit;

-- name: errors
-- The pattern id is the current one. The inner query reads narrow columns only; the wide ones are read for the ids that it returns.
SELECT id, event_id, timestamp, received_at, worker_id, type, error_category, message, severity, reasons, fingerprint,
       coalesce(pattern_id, fingerprint) AS pattern_id, coalesce(warnings, '[]') AS warnings, reported_at,
       coalesce(imported, false) AS imported, is_recurring, is_system_critical, hardware_error AS is_hardware_error, payload
FROM errors LEFT JOIN assignments USING (fingerprint) WHERE id IN (
    SELECT id FROM errors
    WHERE {matching}
      AND ($before IS NULL OR timestamp < $before OR (timestamp = $before AND id < $before_id))
    ORDER BY timestamp DESC, id DESC LIMIT $limit
)
ORDER BY timestamp DESC, id DESC;

-- name: error
SELECT id, event_id, timestamp, received_at, worker_id, type, error_category, message, severity, reasons, fingerprint,
       coalesce(pattern_id, fingerprint) AS pattern_id, coalesce(warnings, '[]') AS warnings, reported_at,
       coalesce(imported, false) AS imported, is_recurring, is_system_critical, hardware_error AS is_hardware_error, payload
FROM errors LEFT JOIN assignments USING (fingerprint) WHERE id = $id;

-- name: recent_critical
-- With the pattern id of when the event was accepted, so that a restart continues its alert.
SELECT id, event_id, timestamp, received_at, worker_id, type, error_category AS category, message, severity, reasons,
       fingerprint, coalesce(accepted_pattern_id, fingerprint) AS pattern_id, type AS pattern, is_recurring,
       is_system_critical, hardware_type, hardware_error,
       CASE WHEN strlen(payload) <= 65536 THEN payload ELSE '' END AS body
FROM errors
WHERE received_at >= $since AND id > $above AND severity = 'critical' AND NOT coalesce(imported, false)
ORDER BY id DESC LIMIT $limit;

-- name: outcome
-- As its sender was told.
SELECT id, event_id, severity, reasons, fingerprint, coalesce(accepted_pattern_id, fingerprint) AS pattern_id,
       coalesce(warnings, '[]') AS warnings
FROM errors WHERE id = $id;

-- name: find_outcome
-- A repeat carries the timestamp of the first, so that few row groups have to be read.
SELECT id, event_id, severity, reasons, fingerprint, coalesce(accepted_pattern_id, fingerprint) AS pattern_id,
       coalesce(warnings, '[]') AS warnings
FROM errors
WHERE timestamp = $timestamp AND event_id = $event_id AND worker_id = $worker_id LIMIT 1;

-- name: find_outcome_reported
-- The same for a timestamp that was not believed: the first counts at its receipt.
SELECT id, event_id, severity, reasons, fingerprint, coalesce(accepted_pattern_id, fingerprint) AS pattern_id,
       coalesce(warnings, '[]') AS warnings
FROM errors
WHERE reported_at = $reported_at AND event_id = $event_id AND worker_id = $worker_id LIMIT 1;

-- name: counters
SELECT worker_id, type, error_category, severity, hardware_type, sum(errors)::BIGINT, min(first_seen), max(last_seen)
FROM counters GROUP BY ALL
ORDER BY min(rowid);  -- in order of arrival: after a restart, the same workers and types keep their own labels

-- name: recent_event_ids
SELECT worker_id, event_id, id, received_at FROM errors WHERE id > $above ORDER BY id;

-- name: log_position
SELECT identity, position, complete, (SELECT any_value(event_id) FROM errors WHERE id = position) AS last_event_id
FROM log_position;

-- name: recurrences
-- Of the patterns with the newest errors, the newest last.
SELECT pattern, times FROM (
    SELECT coalesce(pattern_id, fingerprint) AS pattern, list_sort(max(timestamp, $times)) AS times, max(timestamp) AS last
    FROM errors LEFT JOIN assignments USING (fingerprint) WHERE timestamp >= $since GROUP BY 1
    ORDER BY last DESC, pattern LIMIT $patterns
)
ORDER BY last, pattern DESC;

-- name: seconds
-- Critical errors by the second in which they happened.
SELECT epoch(date_trunc('second', timestamp))::BIGINT, count(*) FROM errors
WHERE timestamp >= $since AND severity = 'critical' GROUP BY 1 ORDER BY 1;

-- name: received_seconds
-- All errors by the second in which they were received.
SELECT epoch(date_trunc('second', received_at))::BIGINT, count(*) FROM errors
WHERE received_at >= $since AND NOT coalesce(imported, false) GROUP BY 1 ORDER BY 1;

-- name: known_patterns
SELECT DISTINCT fingerprint FROM patterns;

-- name: recent_patterns
-- Fingerprints and their pattern ids: those seen once before the others, in each group the newest last.
WITH seen AS (
    SELECT fingerprint, coalesce(sum(errors) > 1, false) AS again, max(last_seen) AS last_seen
    FROM (SELECT DISTINCT fingerprint FROM patterns) LEFT JOIN rollup USING (fingerprint) GROUP BY fingerprint
)
SELECT fingerprint, coalesce(pattern_id, fingerprint), again
FROM seen LEFT JOIN assignments USING (fingerprint)
QUALIFY row_number() OVER (PARTITION BY again ORDER BY last_seen DESC NULLS LAST, fingerprint)
        <= CASE WHEN again THEN $again ELSE $once END
ORDER BY again, last_seen NULLS FIRST, fingerprint DESC;

-- name: old_patterns
-- Those of fingerprint version 1, the newest.
SELECT fingerprint FROM patterns GROUP BY fingerprint HAVING max(scope) IS NULL
ORDER BY max(first_seen) DESC, fingerprint LIMIT $limit;

-- name: reset_at
SELECT max(reset_at) AS reset_at FROM marks;
