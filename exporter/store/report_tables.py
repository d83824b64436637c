"""The tables with blocks of reports: one for each `BLOCKS` blocks, so that old reports give their space back.

DuckDB frees the space of deleted rows only when all 122,880 rows of a row group are deleted: those of eight million
reports. A table that is dropped gives all of its space back. The table `report_tables` lists them; each has the blocks
from `first` to before `until`.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

import duckdb

from exporter.store.sql import number

BLOCKS: Final = 1_024  # 65,536 reports
_AGAIN: Final = "_again"
Block = tuple[int, bytes]


class ReportTable(NamedTuple):
    """A report table. `deleted` is how many of its rows were deleted since it was made or written again: their space
    is not free."""

    name: str
    first: int
    until: int
    deleted: int


def report_tables(db: duckdb.DuckDBPyConnection) -> list[ReportTable]:
    """Returns the tables, in the order of their blocks. Raises duckdb.Error."""
    found = db.execute("SELECT name, first, until, deleted FROM report_tables ORDER BY first").fetchall()
    return list(map(ReportTable._make, found))


def add_blocks(db: duckdb.DuckDBPyConnection, blocks: Sequence[Block]) -> None:
    """Inserts blocks; makes the tables that are missing. Needs a transaction. Raises duckdb.Error."""
    if not blocks:
        return
    tables = report_tables(db)
    by_table: dict[str, list[Block]] = defaultdict(list)
    for one in blocks:
        table = next((table for table in tables if table.first <= one[0] < table.until), None)
        if table is None:
            table = _add_table(db, tables, one[0])
            tables.append(table)
        by_table[table.name].append(one)
    for name, some in by_table.items():
        appender = db.appender(name)  # an INSERT takes nine times as long
        try:
            appender.append_rows(some)
            appender.flush()
        except BaseException:
            appender.clear()  # or it would insert its rows later, when it is deleted
            raise


def read_blocks(db: duckdb.DuckDBPyConnection, blocks: Iterable[int]) -> Iterator[Block]:
    """Yields the rows of blocks, in any order. Raises duckdb.Error."""
    for table, some in _by_table(db, blocks):
        statement = f"SELECT block, packed FROM {table.name} WHERE block"
        if some[-1] - some[0] < len(some):  # a list takes longer to plan
            found = db.execute(f"{statement} BETWEEN {some[0]} AND {some[-1]}")
        else:
            found = db.execute(f"{statement} IN (SELECT unnest($blocks::BIGINT[]))", {"blocks": some})
        while row := found.fetchone():
            yield row


def every_block(db: duckdb.DuckDBPyConnection) -> Iterator[Block]:
    """Yields the rows of all blocks. Raises duckdb.Error."""
    for table in report_tables(db):
        found = db.execute(f"SELECT block, packed FROM {table.name}")
        while row := found.fetchone():
            yield row


def delete_blocks(db: duckdb.DuckDBPyConnection, blocks: Iterable[int]) -> None:
    """Deletes the rows of blocks. Needs a transaction. Raises duckdb.Error."""
    for table, some in _by_table(db, blocks):
        delete = f"DELETE FROM {table.name} WHERE block IN (SELECT unnest($blocks::BIGINT[]))"
        rows = number(db, delete, {"blocks": some})
        values = {"rows": rows, "name": table.name}
        db.execute("UPDATE report_tables SET deleted = deleted + $rows WHERE name = $name", values)


def rewrite(db: duckdb.DuckDBPyConnection, table: ReportTable, share: float) -> None:
    """Drops a table that has no rows. Writes it again if at least a `share` of what it holds are deleted rows. Needs a
    transaction. Raises duckdb.Error."""
    rows = number(db, f"SELECT count(*) FROM {table.name}")
    if rows == 0:
        db.execute(f"DROP TABLE {table.name}")
        db.execute("DELETE FROM report_tables WHERE name = $name", {"name": table.name})
    elif table.deleted >= max(1, share * (rows + table.deleted)) and table.until - table.first <= BLOCKS:
        name = table.name.removesuffix(_AGAIN) if table.name.endswith(_AGAIN) else table.name + _AGAIN
        _create(db, name)
        db.execute(f"INSERT INTO {name} SELECT * FROM {table.name}")
        db.execute(f"DROP TABLE {table.name}")
        values = {"name": table.name, "new": name}
        db.execute("UPDATE report_tables SET name = $new, deleted = 0 WHERE name = $name", values)


def _by_table(db: duckdb.DuckDBPyConnection, blocks: Iterable[int]) -> list[tuple[ReportTable, list[int]]]:
    """Divides blocks by their table; leaves out those of no table."""
    wanted = sorted(set(blocks))
    found = []
    for table in report_tables(db) if wanted else ():
        some = [block for block in wanted if table.first <= block < table.until]
        if some:
            found.append((table, some))
    return found


def _add_table(db: duckdb.DuckDBPyConnection, tables: Sequence[ReportTable], block: int) -> ReportTable:
    """Makes the table for a block. Its range begins after that of an earlier table, and ends before that of a later
    one."""
    start = block // BLOCKS * BLOCKS
    first = max([start, *(table.until for table in tables if table.until <= block)])
    until = min([start + BLOCKS, *(table.first for table in tables if table.first > block)])
    made = ReportTable(f"report_blocks_{first}", first, until, 0)
    _create(db, made.name)
    db.execute("INSERT INTO report_tables VALUES ($name, $first, $until, $deleted)", made._asdict())
    return made


def _create(db: duckdb.DuckDBPyConnection, name: str) -> None:
    db.execute(f"CREATE TABLE {name} (block BIGINT NOT NULL, packed BLOB NOT NULL USING COMPRESSION uncompressed)")
