-- Which log this database is a projection of, and how far it has read it. One row. `identity` is '' until a service
-- binds the database to a log; `complete` is true after a clean stop, when the file holds every accepted event.
CREATE TABLE log_position (
    identity VARCHAR NOT NULL,
    position BIGINT  NOT NULL,
    complete BOOLEAN NOT NULL
);
INSERT INTO log_position SELECT '', coalesce(max(id), 0), true FROM errors;
