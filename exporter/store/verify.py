"""Compares rollups, counters and reports with the table `errors`, and corrects them; likewise doubled states. For
`error-visualization check` and `repair`.

DuckDB finds damaged pages. This finds rows that are missing, doubled or changed. Sums can always be counted again. A
missing report cannot be made again: its error gets an empty one.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import duckdb

from exporter.store.database import Database, read_only
from exporter.store.report_tables import delete_blocks, every_block, read_blocks
from exporter.store.reports import NO_REPORT, PER_BLOCK, Report, unpack
from exporter.store.rollup_tables import ROLLUPS, Rollup, comparing
from exporter.store.rollups import rolled_up
from exporter.store.sql import migrations, named, number

COMPARED_AT_ONCE: Final = 4_000_000  # errors: DuckDB has room for about ten million rows in temporary files
_WRITE: Final = named("write.sql")
_STATES: Final = named("states.sql")
_BITS: Final = f"id // {PER_BLOCK}, bit_or(1::UBIGINT << (id % {PER_BLOCK})::UBIGINT)"


def check_sums(path: Path, tell: Callable[[int], object] = lambda _: None) -> list[str]:
    """Compares rollups, counters and reports with the errors. Returns what is wrong, one sentence each. A database of
    an earlier schema is not compared: its sums are counted again when it is upgraded. `tell` is called with the number
    of reports that were read since the last call."""
    try:
        with read_only(path) as db:
            if number(db, "SELECT max(version) FROM schema_version") < len(migrations()):
                return []
            problems = [f"{path}: {sentence}" for sentence in _wrong_sums(db)]
            problems += [f"{path}: {one}" for one in _doubled_states(db)]
            blocks = _wrong_blocks(db, tell)
    except duckdb.Error as error:
        return [f"{path}: {error}"]
    if blocks:
        first = blocks[0] * PER_BLOCK
        problems.append(
            f"{path}: {len(blocks)} blocks of reports do not match the errors; the first is that of the errors {first} "
            f"to {first + PER_BLOCK - 1}"
        )
    return problems


def mend(path: Path) -> list[str]:
    """Corrects sums and reports that do not match the errors, and returns what was done, one sentence each. Raises
    `StoreError` and duckdb.Error."""
    if not check_sums(path):
        return []
    done: list[str] = []
    database = Database(path)
    database.connect()
    try:
        if _wrong_sums(database.db):
            database.transact(lambda: _count_again(database.db))
            done.append("the rollups and counters were deleted; the service counts them again from the errors")
        if doubled := _doubled_states(database.db):
            database.transact(lambda: database.db.execute(_STATES["forget_doubled"]))
            done.append(
                f"{len(doubled)} states of patterns that were there twice were deleted; the last one of each stays"
            )
        if blocks := _wrong_blocks(database.db):
            empty: list[int] = []
            database.transact(lambda: empty.append(_mend_blocks(database.db, blocks)))
            done.append(f"{len(blocks)} blocks of reports were made again; {empty[0]} errors got an empty report")
    finally:
        database.disconnect()
    return done


def _wrong_sums(db: duckdb.DuckDBPyConnection) -> list[str]:
    """Returns a sentence for each rollup level whose sums differ from the errors, and for the counters if theirs do.
    Raises duckdb.Error."""
    rolled, sealed = rolled_up(db)
    found = {"counters": number(db, _WRITE["differing_counters"], {"rolled": rolled})}
    for rollup in ROLLUPS:
        for level in rollup.levels:
            before = None if level is rollup.levels[0] else sealed[level.sealed]
            values = {"rolled": rolled, "before": before}
            found[rollup.table(level)] = sum(
                number(db, comparing(rollup, level, part), values) for part in _parts(db, rollup)
            )
    return [f"wrong sums in the table {table}: {count}" for table, count in found.items() if count]


def _doubled_states(db: duckdb.DuckDBPyConnection) -> list[str]:
    """Returns a sentence for each fingerprint or worker with more than one state. Raises duckdb.Error."""
    return [
        f"{rows} states of {name} in the table {table}"
        for table, name, rows in db.execute(_STATES["doubled"]).fetchall()
    ]


def _parts(db: duckdb.DuckDBPyConnection, rollup: Rollup) -> list[str]:
    """Returns the conditions of the parts in which a rollup is compared. One with workers may have about as many rows
    as there are errors."""
    if "worker" not in {column.name for column in rollup.columns}:
        return ["true"]
    parts = number(db, "SELECT count(*) FROM errors") // COMPARED_AT_ONCE + 1
    return [f"worker % {parts} = {part}" for part in range(parts)]


def _count_again(db: duckdb.DuckDBPyConnection) -> None:
    """Empties the rollups, and the counters but for what they count of deleted errors. The service fills them again
    after its start; until then, reads count the rows of `errors`. Needs a transaction. Raises duckdb.Error."""
    create, *others = _WRITE["keep_counts_of_deleted"].split(";")
    db.execute(create, {"rolled": rolled_up(db).rolled})
    db.execute(";".join(others))
    for table in (rollup.table(level) for rollup in ROLLUPS for level in rollup.levels):
        db.execute(f"DELETE FROM {table}")
    db.execute(_WRITE["count_again"])


def _wrong_blocks(db: duckdb.DuckDBPyConnection, tell: Callable[[int], object] = lambda _: None) -> list[int]:
    """Returns the numbers of the blocks (ids // 64) with an error whose report is missing, doubled or cannot be read,
    or with a report without its error, unless that is still to be deleted. Raises duckdb.Error."""
    stale = {block for (block,) in db.execute("SELECT block FROM stale_blocks").fetchall()}
    expected = dict(db.execute(f"SELECT {_BITS} FROM errors GROUP BY 1").fetchall())
    found = dict(db.execute(f"SELECT {_BITS} FROM single_reports GROUP BY 1").fetchall())
    doubled = db.execute(
        f"SELECT DISTINCT id // {PER_BLOCK} FROM (SELECT id FROM single_reports GROUP BY id HAVING count(*) > 1)"
    ).fetchall()
    wrong = {block for (block,) in doubled}
    for block, reports in _packed(db):
        tell(len(reports))
        for id_, _ in reports:
            bit = 1 << id_ % PER_BLOCK
            if id_ // PER_BLOCK != block or found.get(block, 0) & bit:
                wrong.add(block)
            found[block] = found.get(block, 0) | bit
    for block in expected.keys() | found.keys():
        missing, left = expected.get(block, 0) & ~found.get(block, 0), found.get(block, 0) & ~expected.get(block, 0)
        if missing or (left and block not in stale):
            wrong.add(block)
    return sorted(wrong)


def _mend_blocks(db: duckdb.DuckDBPyConnection, blocks: list[int]) -> int:
    """Keeps the reports of these blocks that can be read, gives the other errors an empty report, and returns how many
    got one. Needs a transaction. Raises duckdb.Error."""
    mended = 0
    for block in blocks:
        bounds = {"first": block * PER_BLOCK, "end": (block + 1) * PER_BLOCK}
        kept = dict(db.execute(_WRITE["single_reports"], bounds).fetchall())
        for _, reports in _packed(db, [block]):
            kept |= dict(reports)
        ids = [id_ for (id_,) in db.execute(_WRITE["ids_of_errors"], bounds).fetchall()]
        mended += sum(id_ not in kept for id_ in ids)
        db.execute(_WRITE["forget_single_reports"], bounds)
        delete_blocks(db, [block])
        values = {"ids": ids, "reports": [kept.get(id_, NO_REPORT) for id_ in ids]}
        db.execute("INSERT INTO single_reports SELECT unnest($ids::BIGINT[]), unnest($reports::VARCHAR[])", values)
    return mended


def _packed(db: duckdb.DuckDBPyConnection, blocks: Sequence[int] | None = None) -> Iterator[tuple[int, list[Report]]]:
    """Yields the number and the reports of each row of some or all blocks; no reports if it cannot be unpacked."""
    found = read_blocks(db.cursor(), blocks) if blocks is not None else every_block(db.cursor())
    for block, packed in found:
        try:
            yield block, unpack(packed)
        except ValueError:
            yield block, []
