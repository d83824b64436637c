-- The facts of the verdict. Python replaces {current} by the reports that are about the time when they arrived, and that
-- are not imported, and {some} by those of them that are to be counted, each with the `part` in which it is. `t` is the time of an error, which is never ahead
-- of its receipt.

-- name: current
SELECT id, least(timestamp, received_at) AS t, received_at, worker, severity, fingerprint, hardware, run,
       '' AS aside, '' AS about
FROM errors WHERE timestamp >= {since} AND NOT imported AND received_at - timestamp < to_seconds({late})

-- name: current_left_out
-- As `current`, where some errors do not count: `aside` says why, "" for those that do (`exporter/judgement/states.py`).
SELECT e.id, least(e.timestamp, e.received_at) AS t, e.received_at, e.worker, e.severity, e.fingerprint, e.hardware, e.run,
       CASE WHEN d.id IS NOT NULL THEN 'drained' WHEN x.is_muted THEN 'muted'
            WHEN e.timestamp <= x.until OR e.received_at <= x.until THEN 'resolved' ELSE '' END AS aside,
       coalesce(d.name, x.anchor) AS about
FROM errors e
LEFT JOIN (SELECT id, name FROM workers WHERE name IN (SELECT unnest($drained::VARCHAR[]))) d ON d.id = e.worker
LEFT JOIN (
    SELECT f.id, min(anchor) AS anchor, bool_or(is_muted) AS is_muted, max(until) AS until
    FROM (SELECT unnest($muted::VARCHAR[]) AS anchor, true AS is_muted, NULL::TIMESTAMP AS until
          UNION ALL
          SELECT unnest($resolved::VARCHAR[]), false, unnest($until::TIMESTAMP[])) s
    LEFT JOIN assignments a ON a.fingerprint = s.anchor LEFT JOIN assignments m ON m.pattern_id = a.pattern_id
    JOIN fingerprints f ON f.name = coalesce(m.fingerprint, s.anchor) GROUP BY f.id
) x ON x.id = e.fingerprint
WHERE e.timestamp >= {since} AND NOT e.imported AND e.received_at - e.timestamp < to_seconds({late})

-- name: minutes
SELECT (epoch_us(t) // 60_000_000)::BIGINT AS minute, count(*) FILTER (severity = 2 AND t > $reset), count(*) FILTER (severity = 1),
       min(t) FILTER (severity = 2 AND t > $reset), max(t) FILTER (severity = 2 AND t > $reset)
FROM ({current}) WHERE severity > 0 AND aside = '' GROUP BY 1 ORDER BY 1;

-- name: sums
SELECT part, count(*), max(id) FROM ({some}) GROUP BY 1;

-- name: of_workers
SELECT part, w.name, errors, first_id
FROM (SELECT part, worker, count(*) AS errors, min(id) AS first_id FROM ({some}) GROUP BY part, worker
      QUALIFY row_number() OVER (PARTITION BY part ORDER BY min(id)) <= $limit)
JOIN workers w ON w.id = worker ORDER BY first_id;

-- name: of_hardware
SELECT part, h.name, errors, first_id
FROM (SELECT part, hardware, count(*) AS errors, min(id) AS first_id FROM ({some}) WHERE hardware IS NOT NULL
      GROUP BY part, hardware
      QUALIFY row_number() OVER (PARTITION BY part ORDER BY min(id)) <= $limit)
JOIN hardware_types h ON h.id = hardware ORDER BY first_id;

-- name: of_runs
SELECT part, r.name, errors, first_id
FROM (SELECT part, run, count(*) AS errors, min(id) AS first_id FROM ({some}) WHERE run IS NOT NULL
      GROUP BY part, run
      QUALIFY row_number() OVER (PARTITION BY part ORDER BY min(id)) <= $limit)
JOIN runs r ON r.id = run ORDER BY first_id;

-- name: of_patterns
WITH counted AS (
    SELECT part, fingerprint, count(*) AS errors, min(id) AS first_id, arg_min(worker, id) AS worker, min(t) AS first
    FROM ({some}) GROUP BY ALL
),
joined AS (
    SELECT part, coalesce(a.pattern_id, f.name) AS pattern, sum(errors)::BIGINT AS errors, min(first_id) AS first_id,
           arg_min(worker, first_id) AS worker, arg_min(f.name, first_id) AS fingerprint, min(first) AS first
    FROM counted c JOIN fingerprints f ON f.id = c.fingerprint LEFT JOIN assignments a ON a.fingerprint = f.name
    GROUP BY part, coalesce(a.pattern_id, f.name)
    QUALIFY row_number() OVER (PARTITION BY part ORDER BY min(first_id)) <= $limit
),
texts AS (SELECT fingerprint, min(pattern) AS text, min(first_seen) AS first_seen FROM patterns GROUP BY 1),
known AS (
    SELECT coalesce(a.pattern_id, t.fingerprint) AS pattern, min(first_seen) AS first_seen
    FROM texts t LEFT JOIN assignments a ON a.fingerprint = t.fingerprint GROUP BY 1
)
SELECT j.part, j.pattern, j.errors, j.first_id, w.name, coalesce(t.text, ''), coalesce(k.first_seen >= j.first, false)
FROM joined j JOIN workers w ON w.id = j.worker LEFT JOIN texts t ON t.fingerprint = j.fingerprint
LEFT JOIN known k ON k.pattern = j.pattern ORDER BY j.first_id;

-- name: newest_reports
SELECT w.name, n.critical.t, coalesce(n.critical.id, 0), n.other.t, coalesce(n.other.id, 0) FROM (
    SELECT worker, max({'t': t, 'id': id}) FILTER (severity = 2 AND aside = '') AS critical,
           max({'t': t, 'id': id}) FILTER (severity < 2 OR aside <> '') AS other, max(id) AS newest
    FROM ({current}) WHERE aside <> 'drained' GROUP BY 1 HAVING critical IS NOT NULL AND (other IS NULL OR critical > other)
    ORDER BY newest DESC LIMIT $limit
) n JOIN workers w ON w.id = n.worker ORDER BY n.newest;

-- name: aside
SELECT (epoch_us(t) // 60_000_000)::BIGINT AS minute, aside, about, count(*) FROM ({current})
WHERE severity > 0 AND aside IN ('muted', 'drained') AND t >= $start GROUP BY ALL ORDER BY minute, min(id);

-- name: late
SELECT count(*), min(least(timestamp, received_at)), max(least(timestamp, received_at)), max(received_at) FROM errors
WHERE received_at > $noted AND (imported OR received_at - timestamp >= to_seconds($late));

-- name: last
SELECT max(least(timestamp, received_at)) FILTER (severity = 2),
       max(received_at) FILTER (NOT imported AND received_at - timestamp < to_seconds($late))
FROM errors;
