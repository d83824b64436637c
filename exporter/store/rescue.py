"""Copies what can be read of a damaged database into a new file, and puts back what the log still has. For
`error-visualization repair`.

DuckDB compares a checksum with each block of 256 KiB that it reads. A table is copied in ranges of rows; a range that
cannot be read is halved, so that one damaged block costs the rows of that block.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import duckdb

from exporter.events.event import ErrorEvent
from exporter.store import StoreError
from exporter.store.database import Database, limits, wal
from exporter.store.insert import Inserter
from exporter.store.names import TABLES, Table
from exporter.store.report_tables import BLOCKS
from exporter.store.reports import NO_REPORT
from exporter.store.sql import number

SMALLEST: Final = 2_048  # rows: DuckDB reads as many at once
ONE_ROW: Final = ("log_position", "rolled_up", "deleted_errors", "schema_version")
_COLUMNS: Final = dict(
    zip(
        TABLES,
        (
            "worker", "type", "category", "hardware", "fingerprint", "run", "job", "suite", "branch", "revision",
            "submitter", "test", "devices",
        ),
        strict=True,
    )
)  # fmt: skip
_BLOCKS_OF: Final = re.compile(r"report_blocks_(\d+)")
_TABLES: Final = "SELECT table_name FROM duckdb_tables() WHERE database_name = 'old' ORDER BY table_name"


def rescue(damaged: Path, new: Path) -> dict[str, int]:
    """Copies the readable rows of all tables into the new file `new`. Returns how many rows of each table could not be
    read, -1 where that is not known. Raises `StoreError` if the tables are not even known, and duckdb.Error."""
    for file in (new, wal(new)):
        file.unlink(missing_ok=True)
    mode = "" if wal(damaged).exists() else " (READ_ONLY)"
    with duckdb.connect(":memory:", config=limits(new)) as db:
        db.execute("PRAGMA disable_checkpoint_on_shutdown")
        db.execute(f"ATTACH {_literal(damaged)} AS old{mode}")
        db.execute(f"ATTACH {_literal(new)} AS new")
        db.execute("COPY FROM DATABASE old TO new (SCHEMA)")
        tables = [name for (name,) in db.execute(_TABLES).fetchall()]
        unread = {table: rows for table in tables if (rows := _copy(db, table))}
        for table in ONE_ROW:
            if number(db, f"SELECT count(*) FROM new.{table}") != 1:
                raise StoreError(f"the table {table} cannot be read")
        for table in TABLES:
            if unread.get(table):
                _name(db, table)
        if unread.get("report_tables"):
            _list_report_tables(db, tables)
        db.execute("CHECKPOINT new")
    return unread


def put_back(database: Database, batches: Iterable[list[ErrorEvent]]) -> int:
    """Inserts the events up to the position of the database that it lacks, and returns how many. Raises
    `StoreError`."""
    inserter = Inserter(database)
    count = 0
    for events in batches:
        ids = [event.id for event in events if event.id <= database.position]
        rows = database.db.execute("SELECT id FROM errors WHERE id IN (SELECT unnest($ids))", {"ids": ids}).fetchall()
        missing = [event for event in events if event.id in set(ids) - {id_ for (id_,) in rows}]
        if missing:
            inserter.put_back(missing)
            count += len(missing)
    return count


def put_back_reports(database: Database, batches: Iterable[list[ErrorEvent]]) -> int:
    """Gives errors whose report was lost the report of the log, and returns how many. Raises `StoreError`."""
    empty = database.db.execute("SELECT id FROM single_reports WHERE report = $none", {"none": NO_REPORT}).fetchall()
    lost = {id_ for (id_,) in empty}
    known = [(event.body, event.id) for events in batches for event in events if event.id in lost]
    if known:
        database.transact(lambda: database.db.executemany("UPDATE single_reports SET report = ? WHERE id = ?", known))
    return len(known)


def _copy(db: duckdb.DuckDBPyConnection, table: str) -> int:
    """Copies the readable rows of a table, and returns how many others there are; -1 if that is not known."""
    try:
        end = number(db, f'SELECT coalesce(max(rowid), -1) + 1 FROM old."{table}"')
        return _copy_rows(db, table, 0, end)
    except duckdb.Error:
        return -1


def _copy_rows(db: duckdb.DuckDBPyConnection, table: str, first: int, end: int) -> int:
    rows = f'old."{table}" WHERE rowid >= {first} AND rowid < {end}'
    try:
        db.execute(f'INSERT INTO new."{table}" FROM {rows}')
        return 0
    except duckdb.Error:
        if end - first <= SMALLEST:
            return number(db, f"SELECT count(*) FROM {rows}")
    middle = first + max(SMALLEST, (end - first) // 2 // SMALLEST * SMALLEST)
    return _copy_rows(db, table, first, middle) + _copy_rows(db, table, middle, end)


def _name(db: duckdb.DuckDBPyConnection, table: Table) -> None:
    """Gives the integers of errors whose name was lost a name that says so: reads leave out errors without a name."""
    column = _COLUMNS[table]
    db.execute(
        f"INSERT INTO new.{table} SELECT DISTINCT {column}, 'lost-name-' || {column} FROM new.errors "
        f"WHERE {column} IS NOT NULL AND {column} NOT IN (SELECT id FROM new.{table})"
    )


def _list_report_tables(db: duckdb.DuckDBPyConnection, tables: Iterable[str]) -> None:
    """Lists the tables of reports again. Their names have their first block."""
    firsts = {int(found[1]): name for name in tables if (found := _BLOCKS_OF.match(name))}
    db.execute("DELETE FROM new.report_tables")
    for first, name in sorted(firsts.items()):
        until = min([first // BLOCKS * BLOCKS + BLOCKS, *(other for other in firsts if other > first)])
        db.execute("INSERT INTO new.report_tables VALUES (?, ?, ?, 0)", [name, first, until])


def _literal(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
