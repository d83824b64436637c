-- Replaces repeated texts by small integers, moves reports to tables of their own, and replaces the rollup by the minute,
-- which had about as many rows as `errors`, by several rollups. Each has only the columns that its questions need.

-- Names and their integers, in the order of arrival. An integer is never reused.
CREATE TABLE workers        (id INTEGER NOT NULL, name VARCHAR NOT NULL);
CREATE TABLE types          (id INTEGER NOT NULL, name VARCHAR NOT NULL);
CREATE TABLE categories     (id INTEGER NOT NULL, name VARCHAR NOT NULL);
CREATE TABLE hardware_types (id INTEGER NOT NULL, name VARCHAR NOT NULL);
CREATE TABLE fingerprints   (id INTEGER NOT NULL, name VARCHAR NOT NULL);

INSERT INTO workers SELECT row_number() OVER (ORDER BY first), name
FROM (SELECT worker_id AS name, min(id) AS first FROM errors GROUP BY 1);
INSERT INTO types SELECT row_number() OVER (ORDER BY first), name
FROM (SELECT type AS name, min(id) AS first FROM errors GROUP BY 1);
INSERT INTO categories SELECT row_number() OVER (ORDER BY first), name
FROM (SELECT error_category AS name, min(id) AS first FROM errors GROUP BY 1);
INSERT INTO hardware_types SELECT row_number() OVER (ORDER BY first), name
FROM (SELECT hardware_type AS name, min(id) AS first FROM errors WHERE hardware_type IS NOT NULL GROUP BY 1);
INSERT INTO fingerprints SELECT row_number() OVER (ORDER BY first), name
FROM (SELECT fingerprint AS name, min(id) AS first FROM errors GROUP BY 1);

-- Searched texts: message and traceback in lower case, with each digit as 0. `hash` is an 8-byte BLAKE2b hash of the text.
CREATE TABLE texts (id INTEGER NOT NULL, hash UBIGINT NOT NULL, text VARCHAR NOT NULL USING COMPRESSION zstd);

-- Reports as they were sent. 64 are in one compressed block, `block` = id // 64; until a block is complete, its reports are
-- single.
CREATE TABLE single_reports (id BIGINT NOT NULL, report VARCHAR NOT NULL USING COMPRESSION zstd);
CREATE TABLE report_blocks  (block BIGINT NOT NULL, packed BLOB NOT NULL USING COMPRESSION uncompressed);
INSERT INTO single_reports SELECT id, payload FROM errors;

ALTER TABLE errors RENAME TO old_errors;
CREATE TABLE errors (
    id                  BIGINT    NOT NULL,
    timestamp           TIMESTAMP NOT NULL,  -- when it happened, UTC; the receipt if that time is not believed
    worker              INTEGER   NOT NULL,
    type                INTEGER   NOT NULL,
    category            INTEGER   NOT NULL,
    severity            UTINYINT  NOT NULL,  -- 0 info, 1 warning, 2 critical
    fingerprint         INTEGER   NOT NULL,
    hardware            INTEGER,
    text                INTEGER   NOT NULL,  -- 0: its text is not in `texts`
    is_recurring        BOOLEAN   NOT NULL,
    is_system_critical  BOOLEAN   NOT NULL,
    hardware_error      BOOLEAN   NOT NULL,
    imported            BOOLEAN   NOT NULL,  -- an old error that was sent as an import
    cpu_percent         DOUBLE,
    memory_percent      DOUBLE,
    disk_percent        DOUBLE,
    gpu_celsius         DOUBLE,
    conditions          UTINYINT  NOT NULL,  -- bits: 1 overheating, 2 memory pressure, 4 throttling
    received_at         TIMESTAMP NOT NULL,
    event_id            VARCHAR   NOT NULL,  -- the sender's, or made here
    reasons             VARCHAR   NOT NULL,  -- JSON array of texts
    accepted_pattern_id VARCHAR,             -- the pattern id when it was accepted; NULL: the fingerprint
    warnings            VARCHAR,             -- JSON array of texts; NULL: none
    reported_at         VARCHAR,             -- the timestamp as it was sent, if it is not believed
    message             VARCHAR   NOT NULL USING COMPRESSION zstd
);
INSERT INTO errors
SELECT o.id, o.timestamp, w.id, t.id, c.id, CASE o.severity WHEN 'critical' THEN 2 WHEN 'warning' THEN 1 ELSE 0 END,
       f.id, h.id, 0, o.is_recurring, o.is_system_critical, o.hardware_error, coalesce(o.imported, false),
       o.cpu_percent, o.memory_percent, o.disk_percent, o.gpu_celsius,
       coalesce(contains(o.conditions, 'overheating')::UTINYINT + 2 * contains(o.conditions, 'memory_pressure')::UTINYINT
                + 4 * contains(o.conditions, 'throttling')::UTINYINT, 0),
       o.received_at, o.event_id, o.reasons, o.accepted_pattern_id, o.warnings, o.reported_at, o.message
FROM old_errors o
     JOIN workers w ON w.name = o.worker_id
     JOIN types t ON t.name = o.type
     JOIN categories c ON c.name = o.error_category
     JOIN fingerprints f ON f.name = o.fingerprint
     LEFT JOIN hardware_types h ON h.name = o.hardware_type;
DROP TABLE old_errors;
DROP MACRO TABLE IF EXISTS pattern_facts;
DROP MACRO TABLE IF EXISTS facts;
DROP TABLE rollup;

-- The monotone counters, of the errors up to the id `rolled`. The count of a key is the sum of its rows. They are counted
-- again from `errors`, which gives the same counts, because no release so far deletes errors.
DROP TABLE counters;
CREATE TABLE counters (
    worker     INTEGER   NOT NULL,
    type       INTEGER   NOT NULL,
    category   INTEGER   NOT NULL,
    severity   UTINYINT  NOT NULL,
    hardware   INTEGER,
    errors     BIGINT    NOT NULL,
    first_seen TIMESTAMP NOT NULL,
    last_seen  TIMESTAMP NOT NULL,
    first_id   BIGINT    NOT NULL  -- orders the keys by their arrival
);

-- Rollups. A row counts errors of one key in the span that begins at `t`; the count of a key is the sum of its rows. Each
-- rollup has levels. The finest one gets every error. A coarser one gets a span when that is over ("sealed"); errors that come
-- later are added to both.
CREATE TABLE time_minute (
    t              TIMESTAMP NOT NULL,
    severity       UTINYINT  NOT NULL,
    category       INTEGER   NOT NULL,
    hardware_error BOOLEAN   NOT NULL,
    errors         BIGINT    NOT NULL,
    recurring      BIGINT    NOT NULL
);
CREATE TABLE time_hour AS FROM time_minute;
CREATE TABLE time_day AS FROM time_minute;

CREATE TABLE kind_hour (
    t               TIMESTAMP NOT NULL,
    severity        UTINYINT  NOT NULL,
    category        INTEGER   NOT NULL,
    type            INTEGER   NOT NULL,
    hardware        INTEGER,
    hardware_error  BOOLEAN   NOT NULL,
    errors          BIGINT    NOT NULL,
    cpu             DOUBLE,             -- sum of the measurements, and how many reports have one
    cpu_reports     BIGINT    NOT NULL,
    memory          DOUBLE,
    memory_reports  BIGINT    NOT NULL,
    disk            DOUBLE,
    disk_reports    BIGINT    NOT NULL,
    gpu_celsius     DOUBLE,             -- the highest
    overheating     BIGINT    NOT NULL,
    memory_pressure BIGINT    NOT NULL,
    throttling      BIGINT    NOT NULL
);
CREATE TABLE kind_day AS FROM kind_hour;

CREATE TABLE worker_hour (
    t         TIMESTAMP NOT NULL,
    worker    INTEGER   NOT NULL,
    type      INTEGER   NOT NULL,
    severity  UTINYINT  NOT NULL,
    errors    BIGINT    NOT NULL,
    last_seen TIMESTAMP NOT NULL
);
CREATE TABLE worker_day AS FROM worker_hour;

CREATE TABLE pattern_quarter (
    t           TIMESTAMP NOT NULL,
    fingerprint INTEGER   NOT NULL,
    type        INTEGER   NOT NULL,
    category    INTEGER   NOT NULL,
    severity    UTINYINT  NOT NULL,
    errors      BIGINT    NOT NULL,
    recurring   BIGINT    NOT NULL,
    first_seen  TIMESTAMP NOT NULL,
    last_seen   TIMESTAMP NOT NULL
);
CREATE TABLE pattern_hour AS FROM pattern_quarter;
CREATE TABLE pattern_day AS FROM pattern_quarter;

-- Which workers had a pattern: a bit each, in chunks of 64 workers.
CREATE TABLE seen_hour (
    t           TIMESTAMP NOT NULL,
    fingerprint INTEGER   NOT NULL,
    chunk       INTEGER   NOT NULL,  -- worker // 64
    workers     UBIGINT   NOT NULL
);
CREATE TABLE seen_day AS FROM seen_hour;

-- One row. The rollups and the counters hold every error up to the id `rolled`. The levels hour and day hold the spans
-- before `sealed_hours` and `sealed_days`, unless they are the finest level of a rollup, which holds all spans.
CREATE TABLE rolled_up (rolled BIGINT NOT NULL, sealed_hours TIMESTAMP NOT NULL, sealed_days TIMESTAMP NOT NULL);
INSERT INTO rolled_up VALUES (0, TIMESTAMP '1970-01-01', TIMESTAMP '1970-01-01');

CREATE MACRO severity_name(code) AS (['info', 'warning', 'critical'])[code + 1];

-- Errors with names instead of integers, for statements that return few errors.
CREATE VIEW named_errors AS
SELECT e.id, e.event_id, e.timestamp, e.received_at, w.name AS worker_id, t.name AS type, c.name AS error_category,
       e.message, severity_name(e.severity) AS severity, e.reasons, f.name AS fingerprint,
       coalesce(e.accepted_pattern_id, f.name) AS accepted_pattern_id, coalesce(e.warnings, '[]') AS warnings,
       e.reported_at, e.imported, e.is_recurring, e.is_system_critical, e.hardware_error, h.name AS hardware_type
FROM errors e
     JOIN workers w ON w.id = e.worker
     JOIN types t ON t.id = e.type
     JOIN categories c ON c.id = e.category
     JOIN fingerprints f ON f.id = e.fingerprint
     LEFT JOIN hardware_types h ON h.id = e.hardware;
