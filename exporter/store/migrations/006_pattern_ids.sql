ALTER TABLE patterns ADD COLUMN scope VARCHAR;            -- what templates of one family share; NULL: fingerprint version 1
ALTER TABLE errors ADD COLUMN accepted_pattern_id VARCHAR;  -- of when it was accepted; NULL: the fingerprint

-- The current pattern id of each fingerprint of `patterns`: one row each, replaced by exporter/store/assignments.py.
-- `base_id` is the id without decisions by hand: of the family, or the fingerprint.
CREATE TABLE assignments (
    fingerprint VARCHAR NOT NULL,
    scope       VARCHAR,
    base_id     VARCHAR NOT NULL,
    pattern_id  VARCHAR NOT NULL
);

-- The families there are now. `pattern_id` is what a later member gets; NULL: a pattern of its own.
CREATE TABLE families (
    base_id    VARCHAR NOT NULL,
    scope      VARCHAR NOT NULL,
    template   VARCHAR NOT NULL,
    family     VARCHAR NOT NULL,  -- JSON: members (as many as `KnownFamilies` needs), values, reason
    pattern_id VARCHAR
);

-- Every id that a family or a decision ever gave, with a fingerprint that had it, so that old links lead to the pattern.
CREATE TABLE pattern_ids (
    pattern_id  VARCHAR NOT NULL,
    fingerprint VARCHAR NOT NULL
);

-- Fingerprints of an earlier version, and the one that the same report has now.
CREATE TABLE aliases (
    old_fingerprint VARCHAR NOT NULL,
    fingerprint     VARCHAR NOT NULL
);

-- Merges and splits by hand. Lists are JSON arrays of fingerprints; the columns are those of `Decision`.
CREATE TABLE decisions (
    number       BIGINT    NOT NULL,
    kind         VARCHAR   NOT NULL,
    fingerprints VARCHAR   NOT NULL,
    targets      VARCHAR   NOT NULL,
    into_id      VARCHAR   NOT NULL,
    whole        BOOLEAN   NOT NULL,
    from_id      VARCHAR   NOT NULL,  -- of the pattern that was merged or split
    decided_at   TIMESTAMP NOT NULL,
    undone_at    TIMESTAMP
);

-- By which version of the rules `assignments` was made. One row.
CREATE TABLE assignment_version (version BIGINT NOT NULL);
INSERT INTO assignment_version VALUES (0);
