-- Statements of exporter/store/read_patterns.py and read_pattern.py. $members are the fingerprints of one pattern,
-- $fingerprints their integers. {pattern} and {seen} as in read.sql.

-- name: counted
-- The counts of each fingerprint, by type and category; the last placeholder may restrict them to the pattern $pattern_id.
-- Several short statements read this table, because planning one long statement takes longer. It is dropped when the
-- transaction ends.
CREATE OR REPLACE TEMP TABLE counted AS
WITH sums AS (
    SELECT fingerprint AS id, type, category, sum(errors)::BIGINT AS errors, sum(recurring)::BIGINT AS recurring,
           sum(CASE severity WHEN 2 THEN errors ELSE 0 END)::BIGINT AS critical, min(first_seen) AS first_seen,
           max(last_seen) AS last_seen
    FROM ({pattern}) {one} GROUP BY ALL
)
SELECT coalesce($pattern_id, a.pattern_id, n.name) AS pattern_id, n.name AS fingerprint, s.*
FROM sums s JOIN fingerprints n USING (id)
     LEFT JOIN (SELECT fingerprint, pattern_id FROM assignments WHERE pattern_id != fingerprint) a
     ON a.fingerprint = n.name;

-- name: patterns
-- The most frequent patterns of the table `counted`. The placeholder may be a condition, `after`. `fingerprint`, `type` and
-- `category` are those of the newest error; `ids` are the integers of all its fingerprints.
WITH best AS (
    SELECT pattern_id, sum(errors)::BIGINT AS occurrences, max(last_seen) AS newest FROM counted GROUP BY 1 {after}
    ORDER BY 2 DESC, 3 DESC, 1 LIMIT $limit
),
described AS (
    SELECT pattern_id, any_value(occurrences) AS occurrences, any_value(newest) AS last_seen,
           min(first_seen) AS first_seen, sum(critical)::BIGINT AS critical, list(DISTINCT id) AS ids,
           max({'at': last_seen, 'fingerprint': fingerprint, 'type': type, 'category': category}) AS last
    FROM counted JOIN best USING (pattern_id) GROUP BY 1
)
SELECT * EXCLUDE (last), last.fingerprint AS fingerprint, last.type AS type, last.category AS category
FROM described ORDER BY occurrences DESC, last_seen DESC, pattern_id;

-- name: after
-- Patterns that follow a rank.
HAVING occurrences < $occurrences
    OR (occurrences = $occurrences AND (newest < $newest OR (newest = $newest AND pattern_id > $after)))

-- name: pattern_texts
-- Of the patterns with the ids $pattern_ids, whose newest errors have the fingerprints $newest: the masked message and the
-- group before decisions by hand of that fingerprint, and when the error of the pattern happened that was accepted first, also
-- as an alias.
WITH wanted AS (SELECT unnest($pattern_ids) AS pattern_id, unnest($newest) AS newest),
members AS (
    SELECT pattern_id, newest, fingerprint, base_id FROM wanted JOIN assignments USING (pattern_id)
    UNION ALL
    SELECT pattern_id, newest, newest, NULL FROM wanted
),
with_aliases AS (
    FROM members
    UNION ALL
    SELECT pattern_id, newest, old_fingerprint, NULL FROM members JOIN aliases USING (fingerprint)
)
SELECT pattern_id, min(first_seen) AS ever_first_seen, any_value(pattern) FILTER (fingerprint = newest) AS text,
       any_value(base_id) FILTER (fingerprint = newest) AS base_id
FROM with_aliases LEFT JOIN patterns USING (fingerprint) GROUP BY 1;

-- name: pattern_families
SELECT pattern_id, base_id, template FROM families WHERE pattern_id IN (SELECT unnest($pattern_ids));

-- name: new_patterns
-- From the table `counted`: the $limit patterns whose first error ever happened last, at $since at the earliest; `total` is how
-- many there are since then. Times and texts as those of `pattern_texts` and `pattern_families`.
WITH mine AS (
    SELECT pattern_id, min(first_seen) AS first_seen,
           max({'at': last_seen, 'fingerprint': fingerprint, 'type': type}) AS last
    FROM counted GROUP BY 1
),
members AS (
    SELECT pattern_id, fingerprint, base_id FROM assignments SEMI JOIN mine USING (pattern_id)
    UNION ALL
    SELECT pattern_id, last.fingerprint, NULL FROM mine
),
with_aliases AS (
    FROM members
    UNION ALL
    SELECT pattern_id, old_fingerprint, NULL FROM members JOIN aliases USING (fingerprint)
),
found AS (
    SELECT m.pattern_id, least(min(p.first_seen), any_value(mine.first_seen)) AS first_seen, any_value(last.type) AS type,
           any_value(p.pattern) FILTER (m.fingerprint = last.fingerprint) AS text,
           any_value(m.base_id) FILTER (m.fingerprint = last.fingerprint) AS base_id
    FROM with_aliases m JOIN mine USING (pattern_id) LEFT JOIN patterns p USING (fingerprint)
    GROUP BY 1 HAVING min(p.first_seen) >= $since
)
SELECT n.*, f.template, count(*) OVER () AS total
FROM found n LEFT JOIN families f ON f.pattern_id = n.pattern_id AND f.base_id = n.base_id
ORDER BY n.first_seen DESC, n.pattern_id LIMIT $limit;

-- name: distinct_workers
-- The number of workers by place. $places[i] is the place of the pattern to which the fingerprint $ids[i] belongs.
WITH places AS (SELECT unnest($ids::INTEGER[]) AS fingerprint, unnest($places::INTEGER[]) AS place),
merged AS (
    SELECT place, chunk, bit_or(workers) AS workers FROM ({seen}) JOIN places USING (fingerprint) GROUP BY ALL
)
SELECT place, sum(bit_count(workers))::BIGINT AS workers FROM merged GROUP BY 1;

-- name: trends
-- The errors by place (as above) and bucket; bucket 0 begins at $first.
WITH places AS (SELECT unnest($ids::INTEGER[]) AS fingerprint, unnest($places::INTEGER[]) AS place)
SELECT place, date_diff('second', $first, t) // $bucket AS bucket, sum(errors)::BIGINT AS errors
FROM ({pattern}) JOIN places USING (fingerprint) GROUP BY ALL;

-- name: found_patterns
-- The errors of each pattern with a text that may be the one looked for, or with the id $id. Its text is that of the list of
-- patterns: the template of the newest error's family, else its masked message, else its type.
WITH sums AS (
    SELECT fingerprint AS id, type, sum(errors) AS errors, max(last_seen) AS last_seen FROM ({pattern}) GROUP BY ALL
),
by_pattern AS (
    SELECT coalesce(a.pattern_id, n.name) AS pattern_id, sum(errors)::BIGINT AS errors,
           max({'at': last_seen, 'fingerprint': n.name, 'type': type}) AS last
    FROM sums JOIN fingerprints n USING (id)
         LEFT JOIN (SELECT fingerprint, pattern_id FROM assignments WHERE pattern_id != fingerprint) a
         ON a.fingerprint = n.name
    GROUP BY 1
),
with_text AS (
    SELECT b.pattern_id, coalesce(nullif(f.template, ''), nullif(p.pattern, ''), t.name) AS text, errors
    FROM by_pattern b JOIN types t ON t.id = last.type
         LEFT JOIN patterns p ON p.fingerprint = last.fingerprint
         LEFT JOIN assignments a ON a.fingerprint = last.fingerprint
         LEFT JOIN families f ON f.pattern_id = b.pattern_id AND f.base_id = a.base_id
)
FROM with_text WHERE pattern_id = $id OR ({like});

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
       any_value(f.first_seen) AS first_seen, any_value(f.last_seen) AS last_seen,
       CASE WHEN any_value(f.first_seen) < min(p.first_seen) THEN any_value(f.first_seen) ELSE min(p.first_seen) END
           AS ever_first_seen
FROM (SELECT unnest($members::VARCHAR[]) AS fingerprint) m
     LEFT JOIN patterns p USING (fingerprint)
     LEFT JOIN (
         SELECT fingerprint, sum(errors) AS errors, min(first_seen) AS first_seen, max(last_seen) AS last_seen
         FROM counted GROUP BY 1
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
-- What the fingerprint of an error is made of, without the traceback.
SELECT t.name AS type, message FROM errors e JOIN types t ON t.id = e.type WHERE e.id = $id;
