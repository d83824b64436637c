-- One row an error event. No primary key and no index: each costs inserts, and ids only ever grow.
CREATE TABLE errors (
    id                 BIGINT    NOT NULL,
    event_id           VARCHAR   NOT NULL,  -- the sender's, or made here
    timestamp          TIMESTAMP NOT NULL,  -- when it happened, UTC; the receipt where the sender's clock is ahead
    received_at        TIMESTAMP NOT NULL,
    worker_id          VARCHAR   NOT NULL,
    type               VARCHAR   NOT NULL,
    error_category     VARCHAR   NOT NULL,
    severity           VARCHAR   NOT NULL,
    reasons            VARCHAR   NOT NULL,  -- JSON array of texts
    fingerprint        VARCHAR   NOT NULL,
    message            VARCHAR   NOT NULL USING COMPRESSION zstd,
    is_recurring       BOOLEAN   NOT NULL,
    is_system_critical BOOLEAN   NOT NULL,
    hardware_error     BOOLEAN   NOT NULL,
    hardware_type      VARCHAR,
    cpu_percent        DOUBLE,
    memory_percent     DOUBLE,
    disk_percent       DOUBLE,
    gpu_celsius        DOUBLE,
    conditions         VARCHAR,             -- overheating, memory_pressure, throttling: those reported, by comma
    payload            VARCHAR   NOT NULL USING COMPRESSION zstd  -- the report as it was sent
);

-- What the errors add up to, minute by minute.
CREATE TABLE rollup (
    minute         TIMESTAMP NOT NULL,
    worker_id      VARCHAR   NOT NULL,
    type           VARCHAR   NOT NULL,
    error_category VARCHAR   NOT NULL,
    severity       VARCHAR   NOT NULL,
    hardware_type  VARCHAR,
    hardware_error BOOLEAN   NOT NULL,
    fingerprint    VARCHAR   NOT NULL,
    errors         BIGINT    NOT NULL,
    recurring      BIGINT    NOT NULL,
    first_seen     TIMESTAMP NOT NULL,
    last_seen      TIMESTAMP NOT NULL
);

-- What the monotone counters stand at: rows of one key are added up. Nothing here is ever taken back.
CREATE TABLE counters (
    worker_id      VARCHAR   NOT NULL,
    type           VARCHAR   NOT NULL,
    error_category VARCHAR   NOT NULL,
    severity       VARCHAR   NOT NULL,
    hardware_type  VARCHAR,
    errors         BIGINT    NOT NULL,
    first_seen     TIMESTAMP NOT NULL,
    last_seen      TIMESTAMP NOT NULL
);

-- The text of each pattern; one fingerprint can stand here more than once.
CREATE TABLE patterns (
    fingerprint VARCHAR   NOT NULL,
    pattern     VARCHAR   NOT NULL,
    type        VARCHAR   NOT NULL,
    first_seen  TIMESTAMP NOT NULL
);

-- When somebody reset the counts on the page; the newest counts.
CREATE TABLE marks (reset_at TIMESTAMP NOT NULL);
