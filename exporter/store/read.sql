-- Python replaces placeholders in braces: {time}, {kind}, {worker}, {pattern} and {seen} by queries for the rows of these
-- rollups in the time range (`facts` in rollup_tables.py), {matching} by the conditions of the filters (matching.py).
-- Placeholders in the comment of a statement would be replaced, too.

-- name: over_time
SELECT time_bucket(to_seconds($bucket), t), category, hardware_error, sum(recurring)::BIGINT,
       sum(CASE severity WHEN 2 THEN errors ELSE 0 END)::BIGINT AS critical,
       sum(CASE severity WHEN 1 THEN errors ELSE 0 END)::BIGINT AS warning,
       sum(CASE severity WHEN 0 THEN errors ELSE 0 END)::BIGINT AS info
FROM ({time}) GROUP BY ALL;

-- name: critical_since
SELECT coalesce(sum(errors), 0)::BIGINT AS errors FROM ({time}) WHERE severity = 2;

-- name: critical_now
SELECT worker, count(*) AS errors FROM errors
WHERE timestamp >= $since AND timestamp < $end AND severity = 2 GROUP BY 1;

-- name: types
SELECT id, name FROM types ORDER BY name;

-- name: workers
-- The $limit workers with most errors, those with as many errors as the last of them, and those of $also; `workers` is how
-- many have errors. $places[type] is the place of a type in the order of names. `most` is the number of errors of the
-- worker's most frequent type, and in its last 20 bits the place of that type.
WITH by_type AS (
    SELECT worker, type, sum(errors)::BIGINT AS of_type, max(last_seen) AS last_seen,
           sum(CASE severity WHEN 2 THEN errors ELSE 0 END) AS critical, max(severity) AS severity
    FROM ({worker}) GROUP BY ALL
)
SELECT worker, sum(of_type)::BIGINT AS errors, sum(critical)::BIGINT AS critical, max(last_seen) AS last_seen,
       max(severity) AS severity, max(of_type << 20 | ($places::INTEGER[])[type]) AS most, count(*) OVER () AS workers
FROM by_type GROUP BY worker
QUALIFY rank() OVER (ORDER BY sum(of_type) DESC) <= $limit OR worker IN (SELECT unnest($also::INTEGER[]));

-- name: hardware
SELECT hardware, type, sum(errors)::BIGINT AS errors, sum(CASE severity WHEN 2 THEN errors ELSE 0 END)::BIGINT AS critical,
       max(severity) AS severity, sum(cpu) AS cpu, sum(cpu_reports)::BIGINT AS cpu_reports, sum(memory) AS memory,
       sum(memory_reports)::BIGINT AS memory_reports, sum(disk) AS disk, sum(disk_reports)::BIGINT AS disk_reports,
       max(gpu_celsius) AS gpu_celsius, sum(overheating)::BIGINT AS overheating,
       sum(memory_pressure)::BIGINT AS memory_pressure, sum(throttling)::BIGINT AS throttling
FROM ({kind}) WHERE hardware IS NOT NULL GROUP BY ALL;

-- name: facets
-- Errors by facet and integer of the value. The second placeholder has an expression for each facet: the integer, or NULL
-- where an error is not counted. The errors of each combination of values are counted first.
SELECT facet, id, sum(errors)::BIGINT AS errors
FROM (
    SELECT unnest([{facets}]) AS facet, unnest([{ids}]) AS id, errors
    FROM (SELECT {columns}, {added} AS errors FROM {source} WHERE {matching} GROUP BY GROUPING SETS ({combinations}))
)
WHERE id IS NOT NULL GROUP BY ALL;

-- name: found_values
-- The $limit values of a column of a rollup that have most errors, by their names, and how many values there are.
SELECT name, errors, count(*) OVER () AS found FROM (
    SELECT {key} AS id, sum(errors)::BIGINT AS errors FROM ({rows}) WHERE {matching} GROUP BY 1
) JOIN {names} USING (id)
ORDER BY errors DESC, name LIMIT $limit;

-- name: found_devices
-- An error counts for each of its devices.
WITH by_set AS (SELECT devices AS id, sum(errors) AS errors FROM ({rows}) WHERE {matching} GROUP BY 1),
named AS (SELECT unnest(string_split(name, chr(31))) AS name, errors FROM by_set JOIN device_sets USING (id))
SELECT name, sum(errors)::BIGINT FROM named GROUP BY 1;

-- name: found_groups
SELECT category, hardware_error, sum(errors)::BIGINT, sum(recurring)::BIGINT FROM ({time}) GROUP BY ALL;

-- name: size
SELECT count(*) AS errors, min(timestamp) AS oldest FROM errors;

-- name: newest
SELECT rowid, id, timestamp, ({certain}) AS is_certain FROM errors
WHERE {matching} ORDER BY timestamp DESC, id DESC LIMIT $limit;

-- name: errors
-- With the current pattern id. Names are joined after the errors are found; in one step, DuckDB reads each column of all
-- errors.
WITH found AS MATERIALIZED (SELECT rowid AS row, * FROM errors WHERE {matching})
SELECT row, e.id, event_id, timestamp, received_at, w.name AS worker_id, t.name AS type, c.name AS error_category, message,
       severity_name(severity) AS severity, reasons, f.name AS fingerprint, coalesce(pattern_id, f.name) AS pattern_id,
       coalesce(warnings, '[]') AS warnings, reported_at, imported, is_recurring, is_system_critical,
       hardware_error AS is_hardware_error, coalesce(string_split(d.name, chr(31)), []) AS device_names
FROM found e
     JOIN workers w ON w.id = e.worker
     JOIN types t ON t.id = e.type
     JOIN categories c ON c.id = e.category
     JOIN fingerprints f ON f.id = e.fingerprint
     LEFT JOIN device_sets d ON d.id = e.devices
     LEFT JOIN assignments a ON a.fingerprint = f.name
ORDER BY timestamp DESC, e.id DESC;

-- name: exported_ids
SELECT id, ({certain}) AS is_certain FROM errors WHERE id > $after AND id <= $end AND {matching} ORDER BY id LIMIT $limit;

-- name: exported
-- The columns in the order of `Columns`, with integers instead of names. Times are numbers, because the Python client takes
-- 5 microseconds to make a time.
SELECT id, epoch_us(timestamp), epoch_us(received_at), worker, event_id, type, category, severity_name(severity), message,
       hardware, fingerprint, is_recurring, is_system_critical, hardware_error, imported, reported_at, cpu_percent,
       memory_percent, disk_percent, gpu_celsius, reasons, coalesce(warnings, '[]'), run, job, suite, branch, revision,
       submitter, test, devices
FROM errors WHERE id >= $first AND id <= $last AND {listed} ORDER BY id;

-- name: exported_patterns
SELECT f.id, f.name, coalesce(a.pattern_id, f.name) FROM fingerprints f LEFT JOIN assignments a ON a.fingerprint = f.name
WHERE f.id IN (SELECT unnest($ids::INTEGER[]));

-- name: ranking
-- The $limit values of a column with most errors. `rows` is the query for the rows of a rollup with this column. How many
-- workers had them is asked for these values only: it takes a row for each value and 64 workers.
SELECT {key} AS id, sum(errors)::BIGINT AS error_count,
       sum({critical})::BIGINT AS critical_errors, min(first_seen) AS first_seen,
       max(last_seen) AS last_seen
FROM ({rows}) WHERE {key} IS NOT NULL GROUP BY 1 ORDER BY error_count DESC, last_seen DESC, id LIMIT $limit;

-- name: ranked_workers
SELECT id, sum(bit_count(workers))::BIGINT FROM (
    SELECT {key} AS id, chunk, bit_or(workers) AS workers FROM ({rows}) WHERE {matching} GROUP BY 1, 2
)
GROUP BY id;

-- name: ranked_devices
-- The same for devices: `rows` has sets of devices, and an error counts for each of its devices.
WITH by_set AS (
    SELECT devices, chunk, sum(errors) AS errors, sum(critical) AS critical,
           bit_or(workers) AS workers, min(first_seen) AS first_seen, max(last_seen) AS last_seen
    FROM ({rows}) WHERE devices IS NOT NULL GROUP BY 1, 2
),
named AS (
    SELECT unnest(string_split(s.name, chr(31))) AS name, b.* FROM by_set b JOIN device_sets s ON s.id = b.devices
),
by_chunk AS (
    SELECT name, chunk, sum(errors) AS errors, sum(critical) AS critical, bit_or(workers) AS workers,
           min(first_seen) AS first_seen, max(last_seen) AS last_seen
    FROM named GROUP BY 1, 2
)
SELECT name, sum(errors)::BIGINT AS error_count, sum(critical)::BIGINT AS critical_errors,
       sum(bit_count(workers))::BIGINT AS workers, min(first_seen) AS first_seen, max(last_seen) AS last_seen
FROM by_chunk GROUP BY name ORDER BY error_count DESC, last_seen DESC, name LIMIT $limit;

-- name: tests_of_runs
-- By run: how many of its tests passed and so on, over all senders.
SELECT run, sum(passed)::BIGINT, sum(skipped)::BIGINT, sum(failed)::BIGINT, sum(errors)::BIGINT
FROM run_summaries WHERE run IN (SELECT unnest($ids::INTEGER[])) GROUP BY run;

-- name: outcomes_of_tests
-- By test: in how many runs it passed and so on, of the summaries since $since.
SELECT test, count(*) FILTER (outcome = 0), count(*) FILTER (outcome = 1), count(*) FILTER (outcome = 2),
       count(*) FILTER (outcome = 3)
FROM run_tests JOIN (
    SELECT run, sender FROM run_summaries WHERE received_at >= $since AND ($until IS NULL OR received_at < $until)
) USING (run, sender)
WHERE test IN (SELECT unnest($ids::INTEGER[])) GROUP BY test;

-- name: runs
-- The runs with errors or a summary, the newest first, from the one that follows $newest and $run. `rows` is the query for
-- the rows of the rollup.
WITH counted AS (
    SELECT run, sum(errors)::BIGINT AS error_count,
           sum(CASE severity WHEN 2 THEN errors ELSE 0 END)::BIGINT AS critical_errors, min(first_seen) AS first_seen,
           max(last_seen) AS last_seen
    FROM ({rows}) WHERE {matching} GROUP BY run
),
said AS (
    SELECT run, max(received_at) AS received_at, arg_max(details, received_at) AS details, count(*) AS senders,
           bool_and(complete) AS complete, min(started_at) AS started_at, max(finished_at) AS finished_at,
           sum(passed)::BIGINT AS passed, sum(skipped)::BIGINT AS skipped, sum(failed)::BIGINT AS failed,
           sum(errors)::BIGINT AS errors
    FROM run_summaries WHERE received_at >= $since AND ($until IS NULL OR received_at < $until) AND {matching} GROUP BY run
),
every AS (
    SELECT *, greatest(last_seen, received_at) AS newest FROM counted {join} JOIN said USING (run)
)
FROM every WHERE $newest IS NULL OR newest < $newest OR (newest = $newest AND run < $run)
ORDER BY newest DESC, run DESC LIMIT $limit;

-- name: labels_of_runs
-- What the errors of runs say of them besides their id; of several values one.
SELECT run, max(job), max(suite), max(branch), max(revision), max(submitter)
FROM ({rows}) WHERE {matching} GROUP BY run;

-- name: summaries_of_run
SELECT w.name AS sender, received_at, started_at, finished_at, complete, passed, skipped, failed, errors
FROM run_summaries s JOIN workers w ON w.id = s.sender WHERE run = $run ORDER BY received_at DESC, w.name;

-- name: tests_of_run
-- A page of the tests of a run: those with an error first, then those that failed, were skipped, passed.
SELECT t.name AS test, w.name AS worker, s.name AS sender, r.test AS id, outcome
FROM (
    SELECT * FROM run_tests WHERE run = $run AND outcome IN (SELECT unnest($outcomes::UTINYINT[]))
    ORDER BY outcome DESC, test, worker, sender LIMIT $limit OFFSET $after
) r
JOIN tests t ON t.id = r.test JOIN workers w ON w.id = r.worker JOIN workers s ON s.id = r.sender
ORDER BY outcome DESC, r.test, r.worker, r.sender;

-- name: errors_of_tests
SELECT test, count(*) FROM errors WHERE run = $run AND test IN (SELECT unnest($ids::INTEGER[])) GROUP BY test;

-- name: recent_critical
-- With the pattern id at the time when the event was accepted, so that a restart continues its alert.
SELECT id, event_id, timestamp, received_at, worker_id, type, error_category AS category, message, severity, reasons,
       fingerprint, accepted_pattern_id AS pattern_id, type AS pattern, is_recurring, is_system_critical, hardware_type,
       hardware_error
FROM named_errors
WHERE received_at >= $since AND received_at < $end AND id > $above AND severity = 'critical' AND NOT imported
ORDER BY id DESC LIMIT $limit;

-- name: outcomes
-- As in the answers to their senders.
WITH found AS MATERIALIZED (SELECT rowid AS row, * FROM errors WHERE {matching})
SELECT e.id, event_id, severity_name(severity) AS severity, reasons, f.name AS fingerprint,
       coalesce(accepted_pattern_id, f.name) AS pattern_id, coalesce(warnings, '[]') AS warnings
FROM found e JOIN fingerprints f ON f.id = e.fingerprint;

-- name: repeats
-- The ids of the events that reports repeat, with the places of these reports. A repeat carries the timestamp of the first;
-- the range of all timestamps is given, so that few row groups have to be read.
SELECT place, e.id FROM (
    SELECT unnest($places) AS place, unnest($workers::VARCHAR[]) AS worker, unnest($event_ids::VARCHAR[]) AS event_id,
           unnest($times::TIMESTAMP[]) AS timestamp
) r
JOIN errors e ON e.timestamp = r.timestamp AND e.event_id = r.event_id
JOIN workers w ON w.id = e.worker AND w.name = r.worker
WHERE e.timestamp >= $first AND e.timestamp <= $last;

-- name: repeats_reported
-- The same for timestamps that were not believed: the first counts at its receipt.
SELECT place, e.id FROM (
    SELECT unnest($places) AS place, unnest($workers::VARCHAR[]) AS worker, unnest($event_ids::VARCHAR[]) AS event_id,
           unnest($reported::VARCHAR[]) AS reported_at
) r
JOIN errors e ON e.reported_at = r.reported_at AND e.event_id = r.event_id
JOIN workers w ON w.id = e.worker AND w.name = r.worker;

-- name: counters
-- In order of arrival: after a restart, the same workers and types keep their own labels. A key is active if it had an error
-- since $since, and its worker is among the $workers with the latest errors. A time after $now is of a clock that was ahead.
WITH counted AS (
    SELECT worker, type, category, severity, hardware, sum(errors)::BIGINT AS errors, min(first_seen) AS first_seen,
           max(last_seen) AS last_seen, min(first_id) AS first_id
    FROM (
        FROM counters
        UNION ALL
        SELECT worker, type, category, severity, hardware, 1, timestamp, timestamp, id
        FROM errors WHERE id > (SELECT rolled FROM rolled_up) AND NOT imported
    )
    GROUP BY ALL
),
known AS (
    SELECT worker FROM counted GROUP BY worker HAVING max(last_seen) >= $since
    ORDER BY least(max(last_seen), $now) DESC, min(first_id) LIMIT $workers
)
SELECT w.name, t.name, c.name, severity_name(severity), h.name, errors, epoch(first_seen), epoch(last_seen),
       s.worker IN (FROM known) AND max(last_seen) OVER (PARTITION BY s.worker, s.type, s.category) >= $since
FROM counted s
JOIN workers w ON w.id = s.worker JOIN types t ON t.id = s.type JOIN categories c ON c.id = s.category
LEFT JOIN hardware_types h ON h.id = s.hardware
ORDER BY first_id;

-- name: recent_event_ids
SELECT w.name, event_id, e.id, epoch(timestamp) FROM errors e JOIN workers w ON w.id = e.worker
WHERE e.id > $above ORDER BY e.id;

-- name: received_since
SELECT epoch(min(received_at)) FROM errors WHERE id > $above;

-- name: ahead
-- Workers with older errors that have a later time than $since, in epoch seconds.
SELECT w.name, epoch(max(timestamp)) FROM errors e JOIN workers w ON w.id = e.worker
WHERE e.id <= $above AND timestamp > make_timestamp(($since * 1e6)::BIGINT) AND timestamp < $end GROUP BY w.name;

-- name: log_position
SELECT identity, position, complete FROM log_position;

-- name: event_id
-- The id is a parameter, so that few row groups have to be read.
SELECT event_id FROM errors WHERE id = $id;

-- name: recurrences
-- The newest $times error times of each of the $patterns patterns that occurred last; the pattern that occurred last is last.
WITH newest AS (
    SELECT fingerprint, list_sort(max(timestamp, $times)) AS times FROM errors
    WHERE timestamp >= $since AND timestamp < $end GROUP BY 1
),
named AS (
    SELECT coalesce(pattern_id, name) AS pattern, unnest(times) AS timestamp
    FROM newest JOIN fingerprints f ON f.id = newest.fingerprint LEFT JOIN assignments a ON a.fingerprint = f.name
)
SELECT pattern, times FROM (
    SELECT pattern, list_sort(max(timestamp, $times)) AS times, max(timestamp) AS last
    FROM named GROUP BY 1 ORDER BY last DESC, pattern LIMIT $patterns
)
ORDER BY last, pattern DESC;

-- name: seconds
-- Critical errors by the second in which they happened.
SELECT epoch(date_trunc('second', timestamp))::BIGINT, count(*) FROM errors
WHERE timestamp >= $since AND timestamp < $end AND severity = 2 GROUP BY 1 ORDER BY 1;

-- name: received_seconds
-- All errors by the second in which they were received.
SELECT epoch(date_trunc('second', received_at))::BIGINT, count(*) FROM errors
WHERE received_at >= $since AND received_at < $end AND NOT imported GROUP BY 1 ORDER BY 1;

-- name: known_patterns
SELECT DISTINCT fingerprint FROM patterns;

-- name: recent_patterns
-- Fingerprints and their pattern ids. First those seen once, then those seen again; each ordered by its last error.
WITH counted AS (
    SELECT f.name AS fingerprint, sum(errors) AS errors, max(last_seen) AS last_seen
    FROM (
        SELECT fingerprint AS id, errors, last_seen FROM pattern_quarter
        UNION ALL
        SELECT fingerprint, 1, timestamp FROM errors WHERE id > (SELECT rolled FROM rolled_up)
    )
    JOIN fingerprints f USING (id) GROUP BY 1
),
seen AS (
    SELECT fingerprint, coalesce(sum(errors) > 1, false) AS again, max(last_seen) AS last_seen
    FROM (SELECT DISTINCT fingerprint FROM patterns) LEFT JOIN counted USING (fingerprint) GROUP BY fingerprint
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
SELECT max(reset_at) AS reset_at FROM marks WHERE reset_at < $end;

-- name: position
SELECT position FROM log_position;

-- name: found_texts
SELECT id FROM texts WHERE contains(text, $shape);

-- name: database_size
-- Without the write-ahead log, as of the last checkpoint.
SELECT block_size * used_blocks AS used FROM pragma_database_size() WHERE database_name = current_database();

-- name: pins
SELECT (SELECT count(*) FROM pinned_errors) AS errors, (
    SELECT count(DISTINCT coalesce(a.pattern_id, p.fingerprint))
    FROM pinned_fingerprints p LEFT JOIN assignments a USING (fingerprint)
) AS patterns;

-- name: history
-- `table` has what was deleted, `stored` is the query for the rest. `names` has the value for each integer `key`.
WITH every AS (
    SELECT day, {key} AS id, severity, errors FROM {table} WHERE day >= $since
    UNION ALL
    SELECT time_bucket(INTERVAL 1 day, t), {key}, severity, errors FROM ({stored})
),
by_value AS (
    SELECT day, value, severity, sum(errors)::BIGINT AS errors FROM every LEFT JOIN {names} USING (id)
    WHERE $value IS NULL OR value = $value GROUP BY ALL
),
most AS (SELECT value AS one FROM by_value GROUP BY 1 ORDER BY sum(errors) DESC, 1 LIMIT $limit)
SELECT day, value, sum(CASE severity WHEN 2 THEN errors ELSE 0 END)::BIGINT AS critical,
       sum(CASE severity WHEN 1 THEN errors ELSE 0 END)::BIGINT AS warning,
       sum(CASE severity WHEN 0 THEN errors ELSE 0 END)::BIGINT AS info
FROM by_value JOIN most ON value IS NOT DISTINCT FROM one
GROUP BY ALL ORDER BY day, critical + warning + info DESC, value;
