"""`error-visualization compact`: writes the database of a stopped service anew, without the space that deleted and
upgraded rows leave in the file.

DuckDB uses the blocks of deleted rows again, but the file does not shrink, and a row group keeps the rows that were
deleted in it. The new file gets the name of the old one when every table in it has been compared with the old one.
"""

import os
from pathlib import Path
from typing import Final, NamedTuple

import duckdb

from exporter.local.copying import give, literal, need
from exporter.local.hold import held
from exporter.local.progress import Progress
from exporter.log.files import flush, lock, log_path
from exporter.store import StoreError
from exporter.store.database import limits, wal
from exporter.store.sql import named, number

_WRITE: Final = named("write.sql")
_TABLES: Final = "SELECT table_name FROM duckdb_tables() WHERE database_name = $database ORDER BY table_name"
_SCHEMA: Final = """
SELECT 'table', table_name, sql FROM duckdb_tables() WHERE database_name = $database
UNION ALL SELECT 'index', index_name, sql FROM duckdb_indexes() WHERE database_name = $database
UNION ALL SELECT 'sequence', sequence_name, sql FROM duckdb_sequences() WHERE database_name = $database
UNION ALL SELECT 'view', view_name, sql FROM duckdb_views() WHERE database_name = $database AND NOT internal
UNION ALL SELECT 'macro', function_name, macro_definition FROM duckdb_functions() WHERE database_name = $database
ORDER BY ALL"""


class Sizes(NamedTuple):
    """Bytes of the database before and after."""

    before: int
    after: int


def compact(database: Path, progress: Progress) -> Sizes:
    """Compacts the database at `database`. Raises `StoreError`, `LogError`, OSError and duckdb.Error; the database is
    then as it was."""
    if not database.exists():
        raise StoreError(f"{database} does not exist")
    with held(database) as position:
        if position is not None:
            raise StoreError(f"a service is running on {database}: stop it, and start it again after `compact`")
    locked = lock(log_path(database))
    try:
        give(log_path(database), database)
        with duckdb.connect(str(database), config=limits(database)) as db:
            db.execute(_WRITE["settings"])
            db.execute("CHECKPOINT")  # moves DuckDB's write-ahead log of a killed service into the file
        new = database.with_name(database.name + ".compacting")
        before = database.stat().st_size
        need(new.parent, before)
        try:
            _write(database, new, progress)
            after = new.stat().st_size
            if after < before:
                give(new, database)
                new.replace(database)
                flush(database.parent)
            return Sizes(before, min(before, after))
        finally:
            _remove(new)
    finally:
        os.close(locked)


def _write(database: Path, new: Path, progress: Progress) -> None:
    """Writes what is in `database` to the file `new`, which is then on disk."""
    _remove(new)
    with duckdb.connect(":memory:", config=limits(new)) as db:
        db.execute(f"ATTACH {literal(database)} AS old (READ_ONLY)")
        db.execute(f"ATTACH {literal(new)} AS new")
        db.execute("COPY FROM DATABASE old TO new (SCHEMA)")
        tables = [name for (name,) in db.execute(_TABLES, {"database": "old"}).fetchall()]
        rows = {table: number(db, f'SELECT count(*) FROM old."{table}"') for table in tables}
        with progress.step("copy", sum(rows.values())) as step:
            for table in tables:
                db.execute(f'INSERT INTO new."{table}" FROM old."{table}"')
                step.add(rows[table])
        db.execute("CHECKPOINT new")
        with progress.step("verify", sum(rows.values())) as step:
            if (
                db.execute(_SCHEMA, {"database": "old"}).fetchall()
                != db.execute(_SCHEMA, {"database": "new"}).fetchall()
            ):
                raise StoreError("the new file does not have the tables and views of the old one")
            for table in tables:
                if _content(db, f'old."{table}"') != _content(db, f'new."{table}"'):
                    raise StoreError(f"the new file does not have the rows of the table {table}")
                step.add(rows[table])
    flush(new)


def _content(db: duckdb.DuckDBPyConnection, table: str) -> object:
    """Returns the number of rows and the sum of their hashes."""
    return db.execute(f"SELECT count(*), sum(hash(one)) FROM {table} AS one").fetchone()


def _remove(new: Path) -> None:
    for file in (new, wal(new)):
        file.unlink(missing_ok=True)
