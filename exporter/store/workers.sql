-- Workers: what they are now, and their errors. Python replaces {current} by the reports that say something about now
-- (watched.sql), and the names of rollups by queries for their rows in the time range.

-- name: newest_by_worker
-- By worker: the times of its newest critical report after $reset, its newest other one and its newest warning. Only
-- workers that are not stable: that may be silent, or had a critical report or a warning lately.
SELECT worker, max(CASE WHEN severity = 2 AND t > $reset THEN t END) AS critical,
       max(CASE WHEN severity < 2 THEN t END) AS other, max(CASE WHEN severity = 1 THEN t END) AS warning
FROM ({current}) GROUP BY worker
HAVING critical > $recovering OR warning > $warned OR (critical IS NOT NULL AND (other IS NULL OR critical >= other));

-- name: newest_ids
-- The ids of these, where a critical report and another one have the same time.
SELECT worker, coalesce(max(id) FILTER (severity = 2), 0), coalesce(max(id) FILTER (severity < 2), 0)
FROM ({current}) JOIN (SELECT unnest($workers::INTEGER[]) AS worker, unnest($times::TIMESTAMP[]) AS t) USING (worker, t)
GROUP BY worker;

-- name: hardware_of_silent
-- The hardware types of the critical reports since which workers are silent, and since when.
SELECT hardware, min(t) FROM ({current})
JOIN (SELECT unnest($workers::INTEGER[]) AS worker, unnest($times::TIMESTAMP[]) AS t) USING (worker, t)
WHERE severity = 2 AND hardware IS NOT NULL GROUP BY hardware;

-- name: newest_by_hardware
SELECT hardware, max(t) FILTER (severity = 2 AND t > $reset), max(t) FILTER (severity = 1)
FROM ({current}) WHERE hardware IS NOT NULL GROUP BY hardware;

-- name: last_critical_by_worker
SELECT worker, max(last_seen) FROM ({worker}) WHERE severity = 2 AND {matching} GROUP BY worker;

-- name: last_critical_by_hardware
SELECT hardware, max(timestamp) FROM errors
WHERE severity = 2 AND hardware IS NOT NULL AND timestamp < $end GROUP BY hardware;

-- name: counted_workers
SELECT worker, sum(errors)::BIGINT, sum(CASE severity WHEN 2 THEN errors ELSE 0 END)::BIGINT,
       sum(CASE severity WHEN 1 THEN errors ELSE 0 END)::BIGINT, max(last_seen)
FROM ({worker}) GROUP BY worker;

-- name: workers_matching
SELECT worker FROM (SELECT id AS worker FROM workers) WHERE {matching};

-- name: patterns_by_worker
SELECT worker, count(DISTINCT coalesce(a.pattern_id, f.name))
FROM (SELECT DISTINCT worker, fingerprint FROM ({single}) WHERE {matching}) s
     JOIN fingerprints f ON f.id = s.fingerprint LEFT JOIN assignments a ON a.fingerprint = f.name
GROUP BY worker;

-- name: first_of_worker
SELECT min(timestamp) FROM errors WHERE worker = $worker;

-- name: measured
-- The newest errors of a worker that have a measurement, or may have one in their report.
SELECT id, timestamp, cpu_percent, memory_percent, disk_percent, gpu_celsius FROM errors
WHERE {matching} AND (coalesce(cpu_percent, memory_percent, disk_percent, gpu_celsius) IS NOT NULL OR hardware IS NOT NULL)
ORDER BY timestamp DESC, id DESC LIMIT $limit;
