-- Statements of exporter/store/pattern_states.py, drains.py and read_states.py.

-- name: standings
SELECT fingerprint, number, status, person, made_at, until, errors_left, earlier, earlier_person, earlier_at, regressions,
       error_id, silence_id, silence_error
FROM pattern_states ORDER BY number;

-- name: resolutions
-- When patterns were resolved last, of those that nobody reopened since.
SELECT fingerprint, arg_max(made_at, number) AS made_at FROM audit WHERE action IN ('resolve', 'reopen')
GROUP BY 1 HAVING arg_max(action, number) = 'resolve';

-- name: names_of_states
-- The names that the patterns with these fingerprints have or had, and that errors of them may carry: the id of now, those
-- of the past that no pattern has now, the fingerprints.
WITH now AS (
    SELECT fingerprint AS anchor, pattern_id FROM assignments WHERE fingerprint IN (SELECT unnest($anchors::VARCHAR[]))
),
members AS (SELECT anchor, a.pattern_id, a.fingerprint FROM now JOIN assignments a USING (pattern_id))
SELECT anchor, pattern_id, 0 AS kind, pattern_id AS name FROM now
UNION ALL
SELECT anchor, m.pattern_id, 1, p.pattern_id FROM members m JOIN pattern_ids p USING (fingerprint)
WHERE NOT EXISTS (FROM assignments a WHERE a.pattern_id = p.pattern_id OR a.fingerprint = p.pattern_id)
UNION ALL
SELECT anchor, pattern_id, 2, fingerprint FROM members
ORDER BY anchor, kind, name;

-- name: state_of_members
-- The state of the pattern with the fingerprints $members.
SELECT fingerprint FROM pattern_states WHERE fingerprint IN (SELECT unnest($members::VARCHAR[]))
ORDER BY number DESC LIMIT 1;

-- name: forget_state
DELETE FROM pattern_states WHERE fingerprint = $fingerprint;

-- name: add_state
INSERT INTO pattern_states VALUES
    ($fingerprint, $number, $status, $person, $made_at, $until, $errors_left, $earlier, $earlier_person, $earlier_at,
     $regressions, $error_id, $silence_id, $silence_error);

-- name: forget_open
-- The states that say least, oldest first.
DELETE FROM pattern_states WHERE fingerprint IN (
    SELECT fingerprint FROM pattern_states WHERE status = 'open' ORDER BY number LIMIT $most
);

-- name: set_silence
UPDATE pattern_states SET silence_id = $silence_id, silence_error = $silence_error
WHERE fingerprint = $fingerprint AND number = $number AND status = 'muted';

-- name: move_state
-- After a split: the state stays with the fingerprints that stay together.
UPDATE pattern_states SET fingerprint = $into WHERE fingerprint = $fingerprint;

-- name: next_number
SELECT coalesce(max(number), 0) + 1 FROM audit;

-- name: add_entry
INSERT INTO audit VALUES
    ($number, $made_at, $action, $person, $caller, $pattern_id, $fingerprint, $worker, $until, $errors, $error_id, $note);

-- name: forget_entries
DELETE FROM audit WHERE number <= $number;

-- name: states_of
-- The states of patterns by id; the last one of a pattern counts.
SELECT a.pattern_id, s.status, s.person, s.made_at, s.until, s.errors_left, s.silence_id, s.silence_error
FROM pattern_states s JOIN assignments a USING (fingerprint)
WHERE a.pattern_id IN (SELECT unnest($pattern_ids::VARCHAR[])) ORDER BY s.number;

-- name: ever_first_seen
SELECT min(first_seen) AS first_seen FROM patterns WHERE fingerprint IN (SELECT unnest($members::VARCHAR[]));

-- name: audit
-- The numbers first: with all columns, ORDER BY … LIMIT reads every note, 100,000 of 2,000 characters in 0.5 to 1.5 s.
SELECT number, made_at, action, person, caller, pattern_id, worker, until, errors, error_id, note FROM audit
WHERE number IN (
    SELECT number FROM audit
    WHERE number < $before
      AND ($members::VARCHAR[] IS NULL OR pattern_id = $pattern_id OR fingerprint IN (SELECT unnest($members::VARCHAR[])))
      AND ($worker::VARCHAR IS NULL OR worker = $worker)
    ORDER BY number DESC LIMIT $limit
)
ORDER BY number DESC;

-- name: notes
-- The newest notes of a pattern: of its fingerprints, and those that were written when it had this id. The numbers first, as in
-- `audit`.
SELECT number, made_at, person, caller, note FROM audit
WHERE number IN (
    SELECT number FROM audit
    WHERE action = 'note' AND (pattern_id = $pattern_id OR fingerprint IN (SELECT unnest($members::VARCHAR[])))
    ORDER BY number DESC LIMIT $most
)
ORDER BY number DESC;

-- name: pattern_entries
-- Those of the $most newest entries of the audit, notes left out, that are about the state of a pattern, oldest first. The numbers
-- have no gaps. They are looked for among the newest 10 * $most: with ORDER BY … LIMIT among all, this takes 40 ms where the audit
-- has 100,000 entries; so, 3 ms.
WITH newest AS (
    SELECT number FROM audit WHERE number > (SELECT max(number) FROM audit) - 10 * $most AND action <> 'note'
    ORDER BY number DESC LIMIT $most
)
SELECT number, made_at, action, person, pattern_id, fingerprint, until, errors FROM audit
WHERE number >= (SELECT min(number) FROM newest) AND fingerprint IS NOT NULL AND action <> 'note' ORDER BY number;

-- name: pattern_names
-- The pattern of each fingerprint of $fingerprints: the id of now, the template of its family, its masked message.
WITH wanted AS (SELECT unnest($fingerprints::VARCHAR[]) AS fingerprint)
SELECT w.fingerprint, a.pattern_id, f.template, p.pattern
FROM wanted w LEFT JOIN assignments a USING (fingerprint) LEFT JOIN patterns p USING (fingerprint)
     LEFT JOIN families f ON f.pattern_id = a.pattern_id AND f.base_id = a.base_id;

-- name: drained
SELECT worker, number, person, made_at, until FROM drained_workers ORDER BY number;

-- name: undrain
DELETE FROM drained_workers WHERE worker = $worker;

-- name: drain
INSERT INTO drained_workers VALUES ($worker, $number, $person, $made_at, $until);

-- name: is_worker
SELECT count(*) FROM workers WHERE name = $worker;

-- name: doubled
SELECT 'pattern_states' AS in_table, fingerprint AS name, count(*) AS states FROM pattern_states GROUP BY ALL HAVING count(*) > 1
UNION ALL
SELECT 'drained_workers', worker, count(*) FROM drained_workers GROUP BY ALL HAVING count(*) > 1
ORDER BY ALL;

-- name: forget_doubled
DELETE FROM pattern_states WHERE rowid NOT IN (SELECT arg_max(rowid, (number, rowid)) FROM pattern_states GROUP BY fingerprint);
DELETE FROM drained_workers WHERE rowid NOT IN (SELECT arg_max(rowid, (number, rowid)) FROM drained_workers GROUP BY worker);

-- name: returned
-- The first error of each resolved pattern that was received after its resolution and happened after it. $names[i] is a
-- fingerprint of the pattern with the anchor $anchors[i], which was resolved $ats[i]; $since is the first of $ats.
WITH wanted AS (
    SELECT unnest($anchors::VARCHAR[]) AS anchor, unnest($names::VARCHAR[]) AS name, unnest($ats::TIMESTAMP[]) AS resolved_at
)
SELECT anchor, min(e.id) AS id, arg_min(e.timestamp, e.id) AS timestamp
FROM wanted JOIN fingerprints f USING (name) JOIN errors e ON e.fingerprint = f.id
WHERE e.timestamp > $since AND e.timestamp > resolved_at AND e.received_at > resolved_at AND NOT e.imported GROUP BY anchor;
