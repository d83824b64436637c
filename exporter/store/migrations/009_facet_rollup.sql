-- A rollup with all columns that facets filter by, so that facets with filters or a text need not read every error.
CREATE TABLE facet_hour (
    t              TIMESTAMP NOT NULL,
    severity       UTINYINT  NOT NULL,
    category       INTEGER   NOT NULL,
    type           INTEGER   NOT NULL,
    hardware       INTEGER,
    hardware_error BOOLEAN   NOT NULL,
    is_recurring   BOOLEAN   NOT NULL,
    text           INTEGER   NOT NULL,
    worker         INTEGER   NOT NULL,
    errors         BIGINT    NOT NULL
);
CREATE TABLE facet_day AS FROM facet_hour;

-- EACH DAY
-- The errors that the other rollups have. Those of all days together may need more memory than DuckDB has.
INSERT INTO facet_hour
SELECT time_bucket(INTERVAL 1 hour, timestamp), severity, category, type, hardware, hardware_error, is_recurring, text, worker,
       count(*)
FROM errors WHERE timestamp >= $from AND timestamp < $to AND id <= (SELECT rolled FROM rolled_up)
GROUP BY ALL ORDER BY ALL;
INSERT INTO facet_day
SELECT time_bucket(INTERVAL 1 day, t), severity, category, type, hardware, hardware_error, is_recurring, text, worker,
       sum(errors)
FROM facet_hour WHERE t >= $from AND t < $to AND $to::TIMESTAMP <= (SELECT sealed_days FROM rolled_up)
GROUP BY ALL ORDER BY ALL;
