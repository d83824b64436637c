-- What people have said of a pattern: claimed, resolved, muted; and what ended that. The state is that of the pattern which
-- the fingerprint has now, so it follows when patterns become one. Of several states of one pattern, the one with the
-- highest number counts.
CREATE TABLE pattern_states (
    fingerprint    VARCHAR   NOT NULL,
    number         BIGINT    NOT NULL,  -- of its last entry in `audit`
    status         VARCHAR   NOT NULL,  -- open, claimed, resolved, muted, regressed
    person         VARCHAR   NOT NULL,  -- '': nobody, it ended by itself
    made_at        TIMESTAMP NOT NULL,
    until          TIMESTAMP,           -- the end of a mute
    errors_left    BIGINT,              -- errors after which a mute ends
    earlier        VARCHAR,             -- what a mute goes back to; NULL: open
    earlier_person VARCHAR,
    earlier_at     TIMESTAMP,
    regressions    BIGINT    NOT NULL,  -- how many times it came back after it had been resolved
    error_id       BIGINT,              -- the error that made it `regressed`
    silence_id     VARCHAR,             -- of the silence in Alertmanager
    silence_error  VARCHAR              -- why there is none
);
CREATE TABLE drained_workers (
    worker  VARCHAR   NOT NULL,
    number  BIGINT    NOT NULL,  -- of its entry in `audit`
    person  VARCHAR   NOT NULL,
    made_at TIMESTAMP NOT NULL,
    until   TIMESTAMP
);
-- Who changed which state when; `person` is '' for what ended by itself.
CREATE TABLE audit (
    number      BIGINT    NOT NULL,
    made_at     TIMESTAMP NOT NULL,
    action      VARCHAR   NOT NULL,
    person      VARCHAR   NOT NULL,
    caller      VARCHAR   NOT NULL,  -- the user or token whose request it was, '' without access control
    pattern_id  VARCHAR,             -- at that time
    fingerprint VARCHAR,
    worker      VARCHAR,
    until       TIMESTAMP,
    errors      BIGINT,
    error_id    BIGINT
);
