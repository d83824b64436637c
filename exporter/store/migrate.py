"""Brings a database to the newest schema."""

import datetime as dt
import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import duckdb

from exporter.store import StoreError
from exporter.store.file_kind import both
from exporter.store.sql import number

COPIED_BEFORE: Final = 7  # version of the schema: a migration to it copies all errors
COPIED_A_SECOND: Final = 80_000  # errors; to estimate how long a migration takes
COUNTED_A_SECOND: Final = 1_000_000
_EACH_DAY: Final = "-- EACH DAY\n"  # begins the last part of a migration, which is run for each day with errors
_DAYS: Final = "SELECT DISTINCT time_bucket(INTERVAL 1 day, t) AS day FROM time_minute ORDER BY day"
_log = logging.getLogger(__name__)


def migrate(db: duckdb.DuckDBPyConnection, scripts: Sequence[str]) -> None:
    """Brings the database to the schema of `scripts`; the table `schema_version` holds the version. Raises `StoreError`
    for a file of a newer version, or one that is not ours."""
    tables = {name for (name,) in db.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
    if "schema_version" not in tables:
        if tables:
            raise StoreError(f"the file is a DuckDB database of something else{both(_path(db))}")
        db.execute("CREATE TABLE schema_version AS SELECT 0 AS version")
    version = number(db, "SELECT max(version) FROM schema_version")
    if version > len(scripts):
        raise StoreError(
            f"the file has schema version {version}, this release knows up to {len(scripts)}: use a newer release"
        )
    began = time.monotonic()
    upgrade = 0 < version < len(scripts)
    if upgrade:
        errors = number(db, "SELECT count(*) FROM errors")
        _log.info(
            "the database is upgraded from schema version %d to %d; %d errors take about %d s",
            version, len(scripts), errors,
            errors // (COPIED_A_SECOND if version < COPIED_BEFORE else COUNTED_A_SECOND) + 1,
        )  # fmt: skip
    for step, script in enumerate(scripts[version:], version + 1):
        once, _, each_day = script.partition(_EACH_DAY)
        db.execute("BEGIN")
        db.execute(once)
        if each_day:
            _fill(db, each_day)
        db.execute("UPDATE schema_version SET version = ?", [step])
        db.execute("COMMIT")
    if upgrade:
        _log.info("the database has schema version %d after %.1f s", len(scripts), time.monotonic() - began)


def _path(db: duckdb.DuckDBPyConnection) -> Path:
    """Returns the path of the file that is open."""
    (path,) = db.execute("SELECT path FROM duckdb_databases() WHERE database_name = current_database()").fetchone() or (
        "",
    )
    return Path(path or "")


def _fill(db: duckdb.DuckDBPyConnection, script: str) -> None:
    """Runs the statements of a script for each day that the rollups have, with the parameters $from and $to."""
    statements = [one for one in script.split(";") if one.strip()]
    for (day,) in db.execute(_DAYS).fetchall():
        for statement in statements:
            db.execute(statement, {"from": day, "to": day + dt.timedelta(days=1)})
