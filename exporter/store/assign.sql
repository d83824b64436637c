-- Statements of exporter/store/assignments.py.

-- name: adopt_old
-- Patterns of fingerprint version 1 are in no family.
INSERT INTO assignments
SELECT fingerprint, NULL, fingerprint, fingerprint FROM patterns
WHERE fingerprint NOT IN (SELECT fingerprint FROM assignments)
GROUP BY fingerprint HAVING max(scope) IS NULL;

-- name: pending
-- Scopes with templates that have no pattern id yet; NULL for fingerprint version 1.
SELECT DISTINCT scope FROM patterns WHERE fingerprint NOT IN (SELECT fingerprint FROM assignments);

-- name: next_new
-- The next fingerprints that get an id.
SELECT DISTINCT scope, fingerprint FROM patterns
WHERE scope IS NOT NULL AND fingerprint NOT IN (SELECT fingerprint FROM assignments)
ORDER BY scope, fingerprint LIMIT $limit;

-- name: texts
-- Of each of $scopes, at least the $limit templates with the smallest fingerprints, in which families are looked for, also
-- those that were among them before the new templates, and the new templates. Other templates without an id are left out.
-- A deleted template (templates.py) has no text; its fingerprint keeps its id.
-- Counting the new ones with a window function over all templates took a minute for 300,000.
WITH new AS (SELECT unnest($scopes) AS scope, unnest($fingerprints) AS fingerprint),
sizes AS (SELECT scope, count(*) AS more FROM new GROUP BY scope),
known AS (
    SELECT p.scope, p.fingerprint, min(p.pattern) AS text, any_value(a.base_id) AS base_id
    FROM patterns p LEFT JOIN assignments a USING (fingerprint)
    WHERE p.scope IN (SELECT scope FROM sizes)
      AND (a.base_id IS NOT NULL OR p.fingerprint IN (SELECT fingerprint FROM new))
      AND (a.base_id IS NULL OR p.pattern != '')
    GROUP BY p.scope, p.fingerprint
)
SELECT scope, fingerprint, text, base_id FROM known JOIN sizes USING (scope)
QUALIFY base_id IS NULL OR row_number() OVER (PARTITION BY scope ORDER BY fingerprint) <= $limit + more;

-- name: texts_after
-- Templates of a scope that have an id, after a fingerprint.
SELECT p.fingerprint, min(p.pattern) AS text, any_value(a.base_id) AS base_id
FROM patterns p JOIN assignments a USING (fingerprint)
WHERE p.scope = $scope AND p.fingerprint > $after AND p.pattern != '' GROUP BY p.fingerprint
ORDER BY p.fingerprint LIMIT $limit;

-- name: families_of
SELECT scope, family FROM families WHERE scope IN (SELECT unnest($scopes));

-- name: forget_families
DELETE FROM families WHERE scope IN (SELECT unnest($scopes));

-- name: add_families
INSERT INTO families
SELECT unnest($base_ids), unnest($scopes), unnest($templates), unnest($families), unnest($base_ids);

-- name: add_assignments
INSERT INTO assignments SELECT unnest($fingerprints), unnest($scopes), unnest($base_ids), unnest($base_ids);

-- name: set_base
UPDATE assignments SET base_id = new.base_id, pattern_id = new.base_id
FROM (SELECT unnest($fingerprints) AS fingerprint, unnest($base_ids) AS base_id) new
WHERE assignments.fingerprint = new.fingerprint;

-- name: groups
-- The groups that a decision in force is about or was about, as a whole.
SELECT fingerprint, base_id, pattern_id FROM assignments
WHERE pattern_id != base_id OR base_id IN (
    SELECT base_id FROM assignments WHERE fingerprint IN (SELECT unnest($fingerprints))
);

-- name: families_in
SELECT base_id, scope, pattern_id FROM families
WHERE pattern_id IS DISTINCT FROM base_id OR base_id IN (SELECT unnest($base_ids));

-- name: set_ids
UPDATE assignments SET pattern_id = new.pattern_id
FROM (SELECT unnest($fingerprints) AS fingerprint, unnest($pattern_ids) AS pattern_id) new
WHERE assignments.fingerprint = new.fingerprint;

-- name: set_family_ids
UPDATE families SET pattern_id = new.pattern_id
FROM (SELECT unnest($base_ids) AS base_id, unnest($pattern_ids) AS pattern_id) new
WHERE families.base_id = new.base_id;

-- name: remember_ids
INSERT INTO pattern_ids
SELECT pattern_id, min(fingerprint) FROM assignments
WHERE pattern_id != fingerprint AND pattern_id NOT IN (SELECT pattern_id FROM pattern_ids)
GROUP BY pattern_id;

-- name: decisions
SELECT number, kind, fingerprints, targets, into_id, whole, from_id, decided_at, undone_at FROM decisions ORDER BY number;

-- name: current_pattern
-- The pattern with an id or, if there is none, with a fingerprint.
SELECT pattern_id FROM assignments WHERE pattern_id = $id OR fingerprint = $id ORDER BY pattern_id = $id DESC LIMIT 1;

-- name: past_pattern
-- The pattern that an id of the past leads to.
SELECT a.pattern_id FROM pattern_ids p JOIN assignments a USING (fingerprint) WHERE p.pattern_id = $id;

-- name: members_of
SELECT fingerprint FROM assignments WHERE pattern_id = $pattern_id ORDER BY fingerprint;

-- name: ids_of
SELECT fingerprint, pattern_id FROM assignments WHERE fingerprint IN (SELECT unnest($fingerprints)) ORDER BY fingerprint;

-- name: add_decision
INSERT INTO decisions VALUES
    ($number, $kind, $fingerprints, $targets, $into_id, $whole, $from_id, $decided_at, NULL);

-- name: undo_decision
UPDATE decisions SET undone_at = $at WHERE number = $number;

-- name: assignment_version
SELECT version FROM assignment_version;

-- name: start_again
DELETE FROM assignments;
DELETE FROM families;
UPDATE assignment_version SET version = $version;

-- name: newest_families
-- The families of the scopes with the newest templates; those of the newest scope last.
SELECT scope, family, pattern_id FROM (
    SELECT scope, family, pattern_id, template, came FROM families
    JOIN (SELECT scope, max(first_seen) AS came FROM patterns GROUP BY scope) USING (scope)
    WHERE pattern_id IS NOT NULL ORDER BY came DESC, scope, template LIMIT $limit
)
ORDER BY came, scope, template;

-- name: known_families
SELECT scope, family, pattern_id FROM families
WHERE pattern_id IS NOT NULL AND scope IN (SELECT unnest($scopes))
ORDER BY scope, template;
