"""Deletes errors, and in steps of their own the reports of deleted errors.

    delete_span   errors of a span of time   ─► rollups are counted again, counters stay, history grows if wanted
    trim_reports  blocks of their reports    ─► a block without errors is deleted, another is packed again

Each step is one transaction, so a crash neither loses nor doubles anything else. The searched texts of deleted errors
and unused names are deleted by `Inserter.forget_unused_texts` and `forget_unused_names`.
"""

import datetime as dt
import logging
import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import duckdb

from exporter.store.database import Database
from exporter.store.matching import all_of, one_of
from exporter.store.recount import recount
from exporter.store.report_tables import add_blocks, delete_blocks, read_blocks, report_tables, rewrite
from exporter.store.reports import PER_BLOCK, Report, pack, unpack
from exporter.store.rollup_tables import floor
from exporter.store.rollups import rolled_up
from exporter.store.sql import filled, named, number
from exporter.store.templates import delete_templates

DAY: Final = dt.timedelta(days=1)
TRIMMED_AT_ONCE: Final = 256  # blocks of reports
DELETED_SHARE: Final = 0.5  # of the rows in a report table; with more, it is written again
READ_AT_ONCE: Final = 8  # blocks whose reports are read before their size is looked at
UNPACKED_BYTES: Final = 2**24  # of reports that are unpacked in one step, and those of `READ_AT_ONCE` blocks more
TRIMMED_WITHIN: Final = 4_096  # blocks; the ids of their errors are read
_SQL: Final = named("delete.sql")
_log = logging.getLogger(__name__)
_HISTORY: Final = {"history_pattern": "fingerprint", "history_worker": "worker"}
_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


class Chosen(NamedTuple):
    """Errors of a span of time, from `since` to before `until`, naive UTC and within one day, that meet a condition,
    whose parameters are `values`."""

    since: dt.datetime
    until: dt.datetime
    condition: str = "true"
    values: Mapping[str, Any] = _NOTHING


def delete_span(database: Database, chosen: Chosen, *, add_history: bool, deletion: int | None = None) -> int:
    """Deletes those errors that are counted in the rollups already, and returns how many. `add_history`: the sums by
    the day keep them. `deletion` is the number of the request that asked for it. The caller must hold
    `database.writing`. Raises `StoreError`."""
    deleted = 0

    def write() -> None:
        nonlocal deleted
        db = database.db
        state = rolled_up(db)
        condition = {"condition": chosen.condition}
        bounds = {"since": chosen.since, "until": chosen.until, "rolled": state.rolled, **chosen.values}
        db.execute(filled(_SQL["choose"], condition), bounds)
        deleted = number(db, _SQL["count"])
        if not deleted:
            return
        if add_history:
            _add_history(db, floor(chosen.since, DAY))
        db.execute(filled(_SQL["delete"], condition), bounds)
        for statement in ("count_deleted", "add_stale_blocks"):
            db.execute(_SQL[statement])
        if deletion is not None:
            db.execute(_SQL["add_deleted"], {"number": deletion, "deleted": deleted})
            delete_templates(db)
        else:
            _move_kept(db, {"since": chosen.since, "until": chosen.until, "rolled": state.rolled})
        recount(db, state, chosen.since, chosen.until)
        db.execute("DROP TABLE gone")

    database.transact(write)
    return deleted


def unpinned(db: duckdb.DuckDBPyConnection) -> str:
    """Returns the condition that neither an error nor its pattern is pinned. Raises duckdb.Error."""
    found = []
    if fingerprints := [id_ for (id_,) in db.execute(_SQL["pinned"]).fetchall()]:
        found.append(f"NOT ({one_of(db, 'fingerprint', fingerprints)})")
    if number(db, "SELECT count(*) FROM pinned_errors"):
        found.append("id NOT IN (SELECT id FROM pinned_errors)")
    return all_of(found)


def trim_reports(database: Database) -> bool:
    """Deletes the reports of deleted errors, of `TRIMMED_AT_ONCE` blocks at most. Returns whether there may be more.
    The caller must hold `database.writing`. Raises `StoreError` and duckdb.Error."""
    db = database.db
    found = db.execute(_SQL["stale"], {"within": TRIMMED_WITHIN, "limit": TRIMMED_AT_ONCE}).fetchall()
    if not found:
        return False
    blocks = [block for (block,) in found]
    database.transact(lambda: _trim(database, blocks))
    return True


def _move_kept(db: duckdb.DuckDBPyConnection, bounds: Mapping[str, Any]) -> None:
    """Writes the errors that are left in a span of time again, after all others. DuckDB frees the space of deleted rows
    only with their whole row group, which one pinned error would keep."""
    db.execute(_SQL["copy_kept"], bounds)
    if number(db, "SELECT count(*) FROM kept"):
        db.execute(_SQL["delete_kept"], bounds)
        db.execute("INSERT INTO errors SELECT * FROM kept ORDER BY id")
    db.execute("DROP TABLE kept")


def _add_history(db: duckdb.DuckDBPyConnection, day: dt.datetime) -> None:
    for table, key in _HISTORY.items():
        create, delete, insert, _ = filled(_SQL["add_history"], {"table": table, "key": key}).split(";")
        db.execute(create, {"day": day})
        db.execute(delete, {"day": day})
        db.execute(insert, {"day": day})


def _trim(database: Database, blocks: list[int]) -> None:
    db = database.db
    values: dict[str, Any] = {"first": blocks[0], "end": blocks[-1] + 1, "blocks": blocks}
    alive = {block: set(ids) for block, ids in db.execute(_SQL["ids_in_blocks"], values).fetchall()}
    kept, damaged, last = _kept(db, alive)
    done = [block for block in blocks if block <= last]
    values = {"first": done[0], "end": done[-1] + 1, "blocks": done}
    every = [id_ for ids in alive.values() for id_ in ids]
    db.execute(_SQL["forget_reports"], values | {"alive": every})
    delete_blocks(db, [block for block in done if block not in damaged])
    add_blocks(db, pack(kept))
    db.execute(_SQL["forget_stale"], values)
    for table in report_tables(db):
        if table.deleted and table.until * PER_BLOCK <= database.position:
            rewrite(db, table, DELETED_SHARE)


def _kept(db: duckdb.DuckDBPyConnection, alive: Mapping[int, set[int]]) -> tuple[list[Report], set[int], float]:
    """Returns the reports of errors that are left, of blocks with `UNPACKED_BYTES`; the blocks that cannot be unpacked,
    which stay as they are for `error-visualization check`; and the last block that was read, infinity for all."""
    kept: list[Report] = []
    damaged: set[int] = set()
    size = 0
    last = math.inf
    blocks = sorted(alive)
    for start in range(0, len(blocks), READ_AT_ONCE):  # DuckDB has no memory to sort the rows of large reports
        if size > UNPACKED_BYTES:
            last = blocks[start - 1]
            break
        for block, packed in read_blocks(db, blocks[start : start + READ_AT_ONCE]):
            try:
                reports = unpack(packed)
            except ValueError as error:
                first = block * PER_BLOCK
                _log.error("the reports %d to %d cannot be read: %s", first, first + PER_BLOCK - 1, error)
                damaged.add(block)
                continue
            size += sum(len(report) for _, report in reports)
            kept += [report for report in reports if report[0] in alive[block]]
    return [one for one in kept if one[0] // PER_BLOCK not in damaged], damaged, last
