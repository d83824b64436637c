-- Statements of exporter/store/read_patterns.py and read_pattern.py. $members are the fingerprints of one pattern,
-- $fingerprints their integers. {pattern} and {seen} are as in read.sql.

-- name: counted
-- The first of five statements that make lists of patterns, each from the table of the one before it. A short statement
-- takes DuckDB much less time to plan than one long one, and the tables are in memory and end with the transaction.
-- The counts of each fingerprint; with {one}, of those of the pattern $pattern_id.
CREATE OR REPLACE TEMP TABLE counted AS
WITH sums AS (
    SELECT fingerprint, type, category, sum(errors)::BIGINT AS errors, sum(recurring)::BIGINT AS recurring,
           sum(CASE severity WHEN 2 THEN errors ELSE 0 END)::BIGINT AS critical, min(first_seen) AS first_seen,
           max(last_seen) AS last_seen
    FROM ({pattern}) {one} GROUP BY ALL
)
SELECT coalesce($pattern_id, a.pattern_id, n.name) AS pattern_id, s.*
FROM sums s JOIN fingerprints n ON n.id = s.fingerprint
     LEFT JOIN (SELECT fingerprint, pattern_id FROM assignments WHERE pattern_id != fingerprint) a
     ON a.fingerprint = n.name;

-- name: ranked
-- The counts of the most frequent patterns, from the one that follows a rank. `place` is 0 for the first of them.
CREATE OR REPLACE TEMP TABLE ranked AS
WITH best AS (
    SELECT pattern_id, sum(errors) AS occurrences, max(last_seen) AS newest FROM counted GROUP BY 1
    HAVING $occurrences IS NULL OR occurrences < $occurrences
        OR (occurrences = $occurrences AND (newest < $newest OR (newest = $newest AND pattern_id > $after)))
    ORDER BY 2 DESC, 3 DESC, 1 LIMIT $limit
),
placed AS (SELECT pattern_id, row_number() OVER (ORDER BY occurrences DESC, newest DESC, pattern_id) - 1 AS place FROM best)
SELECT place, c.* FROM counted c JOIN placed USING (pattern_id);

-- name: described
-- One row for each of these patterns. `fingerprint`, `type` and `category` are those of its newest error.
CREATE OR REPLACE TEMP TABLE described AS
SELECT place, pattern_id, occurrences, critical, first_seen, last_seen, fingerprints, n.name AS fingerprint, t.name AS type,
       c.name AS category
FROM (
    SELECT place, any_value(pattern_id) AS pattern_id, sum(errors)::BIGINT AS occurrences, sum(critical)::BIGINT AS critical,
           min(first_seen) AS first_seen, max(last_seen) AS last_seen, count(DISTINCT fingerprint) AS fingerprints,
           max({'at': last_seen, 'fingerprint': fingerprint, 'type': type, 'category': category}) AS newest
    FROM ranked GROUP BY 1
) JOIN fingerprints n ON n.id = newest.fingerprint JOIN types t ON t.id = newest.type
  JOIN categories c ON c.id = newest.category;

-- name: patterns
-- With their texts: the template of the family, else the masked message of the newest error.
WITH members AS (
    SELECT place, a.fingerprint FROM described JOIN assignments a USING (pattern_id)
    UNION ALL
    SELECT place, o.old_fingerprint FROM described JOIN assignments a USING (pattern_id)
                                              JOIN aliases o ON o.fingerprint = a.fingerprint
    UNION ALL
    SELECT place, fingerprint FROM described
),
ever AS (
    SELECT place, min(p.first_seen) AS ever_first_seen FROM members JOIN patterns p USING (fingerprint) GROUP BY 1
),
texts AS (
    SELECT place, any_value(p.pattern) AS text, any_value(x.template) AS template
    FROM described d LEFT JOIN patterns p USING (fingerprint) LEFT JOIN assignments a USING (fingerprint)
         LEFT JOIN families x ON x.base_id = a.base_id AND x.pattern_id = d.pattern_id
    GROUP BY 1
)
SELECT coalesce(template, text) AS pattern, occurrences, category, first_seen, last_seen, fingerprint, type, critical,
       ever_first_seen, pattern_id, fingerprints,
       pattern_id IN (SELECT pattern_id FROM families WHERE pattern_id IS NOT NULL) AS family
FROM described LEFT JOIN ever USING (place) LEFT JOIN texts USING (place)
ORDER BY place;

-- name: distinct_workers
-- The number of workers that had one of the patterns.
WITH merged AS (
    SELECT place, chunk, bit_or(workers) AS workers
    FROM ({seen}) JOIN (SELECT DISTINCT fingerprint, place FROM ranked) USING (fingerprint)
    GROUP BY ALL
)
SELECT place, sum(bit_count(workers))::BIGINT AS workers FROM merged GROUP BY 1;

-- name: trends
-- By the bucket; 0 is the one that begins at $first.
SELECT place, date_diff('second', $first, t) // $bucket AS bucket, sum(errors)::BIGINT AS errors
FROM ({pattern}) JOIN (SELECT DISTINCT fingerprint, place FROM ranked) USING (fingerprint)
GROUP BY ALL;

-- name: pattern_categories
-- From the table `counted`.
SELECT c.name AS category, count(*) AS patterns, count(*) FILTER (recurring > 0) AS recurring_patterns,
       sum(errors)::BIGINT AS occurrences
FROM (
    SELECT pattern_id, category, sum(errors) AS errors, sum(recurring) AS recurring FROM counted GROUP BY ALL
) JOIN categories c ON c.id = category
GROUP BY 1 ORDER BY 2 DESC, 4 DESC, 1 LIMIT $limit;

-- name: pattern_workers
SELECT w.name AS worker_id, errors, last_seen
FROM (
    SELECT worker, count(*) AS errors, max(timestamp) AS last_seen FROM errors
    WHERE timestamp BETWEEN $first AND $last AND fingerprint IN (SELECT unnest($fingerprints::INTEGER[]))
    GROUP BY 1
) JOIN workers w ON w.id = worker
ORDER BY 2 DESC, 1 LIMIT 100;

-- name: members
-- The fingerprints of a pattern, most frequent first. The table `counted` has their counts.
SELECT m.fingerprint, coalesce(any_value(p.pattern), '') AS template, coalesce(any_value(f.errors), 0)::BIGINT AS errors,
       any_value(f.first_seen) AS first_seen, any_value(f.last_seen) AS last_seen, min(p.first_seen) AS ever_first_seen
FROM (SELECT unnest($members::VARCHAR[]) AS fingerprint) m
     LEFT JOIN patterns p USING (fingerprint)
     LEFT JOIN (
         SELECT n.name AS fingerprint, sum(errors) AS errors, min(first_seen) AS first_seen, max(last_seen) AS last_seen
         FROM counted c JOIN fingerprints n ON n.id = c.fingerprint GROUP BY 1
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
SELECT DISTINCT old_fingerprint FROM aliases WHERE fingerprint IN (SELECT unnest($members)) ORDER BY 1;

-- name: continues_as
SELECT DISTINCT a.pattern_id FROM aliases JOIN assignments a USING (fingerprint)
WHERE old_fingerprint = $fingerprint ORDER BY 1;

-- name: explained
-- What an error's fingerprint was made of, but for the traceback.
SELECT t.name AS type, message FROM errors e JOIN types t ON t.id = e.type WHERE e.id = $id;

-- name: integers
SELECT id FROM fingerprints WHERE name IN (SELECT unnest($members::VARCHAR[]));
