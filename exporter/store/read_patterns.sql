-- Statements of exporter/store/read_patterns.py and read_pattern.py. $members are the fingerprints of one pattern,
-- $fingerprints their integers. {pattern} and {seen} are as in read.sql.

-- name: pattern_categories
WITH sums AS (
    SELECT fingerprint, category, sum(errors) AS errors, sum(recurring) AS recurring FROM ({pattern}) GROUP BY ALL
),
named AS (
    SELECT coalesce(a.pattern_id, f.name) AS pattern_id, category, sum(errors) AS errors, sum(recurring) AS recurring
    FROM sums JOIN fingerprints f ON f.id = sums.fingerprint LEFT JOIN assignments a ON a.fingerprint = f.name
    GROUP BY ALL
)
SELECT c.name AS category, count(*) AS patterns, count(*) FILTER (recurring > 0) AS recurring_patterns,
       sum(errors)::BIGINT AS occurrences
FROM named JOIN categories c ON c.id = category
GROUP BY 1 ORDER BY 2 DESC, 4 DESC, 1 LIMIT $limit;

-- name: patterns
-- Of a pattern with several fingerprints, `fingerprint` is the newest, and `pattern` the template of its family.
WITH sums AS (
    SELECT fingerprint AS id, category, type, sum(errors) AS errors, min(first_seen) AS first_seen, max(last_seen) AS last_seen,
           coalesce(sum(errors) FILTER (severity = 2), 0) AS critical
    FROM ({pattern}) WHERE $fingerprints IS NULL OR list_contains($fingerprints::INTEGER[], fingerprint) GROUP BY ALL
),
named AS (
    SELECT CASE WHEN $fingerprints IS NULL THEN coalesce(a.pattern_id, n.name) ELSE $pattern_id END AS pattern_id,
           n.name AS fingerprint, c.name AS category, t.name AS type, s.errors, s.first_seen, s.last_seen, s.critical
    FROM sums s JOIN fingerprints n USING (id) JOIN categories c ON c.id = s.category JOIN types t ON t.id = s.type
         LEFT JOIN assignments a ON a.fingerprint = n.name
),
f AS (
    SELECT pattern_id, sum(errors)::BIGINT AS occurrences, arg_max(category, last_seen) AS category,
           arg_max(type, last_seen) AS type, min(first_seen) AS first_seen, max(last_seen) AS last_seen,
           arg_max(fingerprint, (last_seen, fingerprint)) AS fingerprint, count(DISTINCT fingerprint) AS fingerprints,
           sum(critical)::BIGINT AS critical
    FROM named GROUP BY 1 ORDER BY 2 DESC, max(last_seen) DESC, 1 LIMIT $limit
),
members AS (
    SELECT pattern_id, fingerprint FROM assignments WHERE pattern_id IN (SELECT pattern_id FROM f)
    UNION
    SELECT a.pattern_id, o.old_fingerprint FROM aliases o JOIN assignments a USING (fingerprint)
    WHERE a.pattern_id IN (SELECT pattern_id FROM f)
    UNION
    SELECT pattern_id, fingerprint FROM f
),
ever AS (
    SELECT m.pattern_id, min(p.first_seen) AS ever_first_seen FROM members m JOIN patterns p USING (fingerprint)
    GROUP BY m.pattern_id
),
texts AS (
    SELECT f.pattern_id, any_value(p.pattern) AS text, any_value(x.template) AS template
    FROM f LEFT JOIN patterns p USING (fingerprint) LEFT JOIN assignments a USING (fingerprint)
           LEFT JOIN families x ON x.base_id = a.base_id AND x.pattern_id = f.pattern_id
    GROUP BY f.pattern_id
)
SELECT coalesce(t.template, t.text) AS pattern, f.occurrences, f.category, f.first_seen, f.last_seen, f.fingerprint,
       f.type, f.critical, e.ever_first_seen, f.pattern_id, f.fingerprints,
       f.pattern_id IN (SELECT pattern_id FROM families WHERE pattern_id IS NOT NULL) AS family
FROM f LEFT JOIN ever e USING (pattern_id) LEFT JOIN texts t USING (pattern_id)
ORDER BY f.occurrences DESC, f.last_seen DESC, f.pattern_id;

-- name: distinct_workers
-- The number of workers that had one of the patterns.
WITH ids AS (
    SELECT n.id AS fingerprint, coalesce(a.pattern_id, n.name) AS pattern_id
    FROM fingerprints n LEFT JOIN assignments a ON a.fingerprint = n.name
    WHERE $fingerprints IS NULL AND list_contains($pattern_ids, coalesce(a.pattern_id, n.name))
    UNION ALL
    SELECT unnest($fingerprints::INTEGER[]), $pattern_id
),
merged AS (
    SELECT pattern_id, chunk, bit_or(workers) AS workers FROM ({seen}) JOIN ids USING (fingerprint) GROUP BY ALL
)
SELECT pattern_id, sum(bit_count(workers))::BIGINT AS workers FROM merged GROUP BY 1;

-- name: trends
WITH ids AS (
    SELECT n.id AS fingerprint, coalesce(a.pattern_id, n.name) AS pattern_id
    FROM fingerprints n LEFT JOIN assignments a ON a.fingerprint = n.name
    WHERE $fingerprints IS NULL AND list_contains($pattern_ids, coalesce(a.pattern_id, n.name))
    UNION ALL
    SELECT unnest($fingerprints::INTEGER[]), $pattern_id
)
SELECT pattern_id, time_bucket(to_seconds($bucket), t) AS timestamp, sum(errors)::BIGINT AS errors
FROM ({pattern}) JOIN ids USING (fingerprint)
GROUP BY ALL;

-- name: pattern_workers
SELECT w.name AS worker_id, errors, last_seen
FROM (
    SELECT worker, count(*) AS errors, max(timestamp) AS last_seen FROM errors
    WHERE timestamp >= $since AND list_contains($fingerprints::INTEGER[], fingerprint) GROUP BY 1
) JOIN workers w ON w.id = worker
ORDER BY 2 DESC, 1 LIMIT 100;

-- name: members
-- The fingerprints of a pattern, most frequent first.
SELECT m.fingerprint, coalesce(any_value(p.pattern), '') AS template, coalesce(any_value(f.errors), 0)::BIGINT AS errors,
       any_value(f.first_seen) AS first_seen, any_value(f.last_seen) AS last_seen, min(p.first_seen) AS ever_first_seen
FROM (SELECT unnest($members::VARCHAR[]) AS fingerprint) m
     LEFT JOIN patterns p USING (fingerprint)
     LEFT JOIN (
         SELECT n.name AS fingerprint, sum(errors) AS errors, min(first_seen) AS first_seen, max(last_seen) AS last_seen
         FROM ({pattern}) s JOIN fingerprints n ON n.id = s.fingerprint
         WHERE list_contains($fingerprints::INTEGER[], s.fingerprint) GROUP BY 1
     ) f USING (fingerprint)
GROUP BY m.fingerprint ORDER BY errors DESC, m.fingerprint LIMIT $limit;

-- name: families_with
-- The families whose members belong to a pattern.
SELECT DISTINCT f.template, f.family FROM families f JOIN assignments a USING (base_id)
WHERE a.pattern_id = $pattern_id AND f.pattern_id = $pattern_id ORDER BY f.template;

-- name: is_old
-- Whether a fingerprint is of version 1.
SELECT count(*) > 0 AND max(scope) IS NULL AS is_old FROM patterns WHERE fingerprint = $fingerprint;

-- name: aliases
SELECT DISTINCT old_fingerprint FROM aliases WHERE list_contains($members, fingerprint) ORDER BY 1;

-- name: continues_as
SELECT DISTINCT a.pattern_id FROM aliases JOIN assignments a USING (fingerprint)
WHERE old_fingerprint = $fingerprint ORDER BY 1;

-- name: newest_report
SELECT id, type, message FROM named_errors WHERE id = (
    SELECT max(id) FROM errors WHERE timestamp >= $since AND list_contains($fingerprints::INTEGER[], fingerprint)
);

-- name: integers
SELECT id FROM fingerprints WHERE list_contains($members::VARCHAR[], name);
