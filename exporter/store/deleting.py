"""Deletes errors, and in steps of their own the reports of deleted errors.

    delete_span   errors of a span of time   ─► rollups are counted again, counters stay, history grows if wanted
    trim_reports  blocks of their reports    ─► a block without errors is deleted, another is packed again

Each step is one transaction, so a crash neither loses nor doubles anything else. The searched texts of deleted errors
are deleted by `Inserter.forget_unused_texts`.
"""

import datetime as dt
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import duckdb

from exporter.store.database import Database, number
from exporter.store.matching import all_of, one_of
from exporter.store.recount import recount
from exporter.store.report_tables import add_blocks, delete_blocks, read_blocks, shrink
from exporter.store.reports import PER_BLOCK, pack, unpack
from exporter.store.rollup_tables import floor
from exporter.store.rollups import rolled_up
from exporter.store.sql import named

DAY: Final = dt.timedelta(days=1)
TRIMMED_AT_ONCE: Final = 256  # blocks of reports
KEPT_SHARE: Final = 0.5  # a table of blocks that has only this share of its rows left is written again
TRIMMED_WITHIN: Final = 4_096  # blocks; the ids of their errors are read
_SQL: Final = named("delete.sql")
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
        bounds = {"since": chosen.since, "until": chosen.until, "rolled": state.rolled, **chosen.values}
        db.execute(_with(_SQL["choose"], condition=chosen.condition), bounds)
        deleted = number(db, _SQL["count"])
        if not deleted:
            return
        if add_history:
            _add_history(db, floor(chosen.since, DAY))
        db.execute(_with(_SQL["delete"], condition=chosen.condition), bounds)
        for statement in ("count_deleted", "add_stale_blocks"):
            db.execute(_SQL[statement])
        if deletion is not None:
            db.execute(_SQL["add_deleted"], {"number": deletion, "deleted": deleted})
        recount(db, state, chosen.since, chosen.until)

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


def _add_history(db: duckdb.DuckDBPyConnection, day: dt.datetime) -> None:
    for table, key in _HISTORY.items():
        create, delete, insert, _ = _with(_SQL["add_history"], table=table, key=key).split(";")
        db.execute(create, {"day": day})
        db.execute(delete, {"day": day})
        db.execute(insert, {"day": day})


def _trim(database: Database, blocks: list[int]) -> None:
    db = database.db
    values: dict[str, Any] = {"first": blocks[0], "end": blocks[-1] + 1, "blocks": blocks}
    alive = {block: set(ids) for block, ids in db.execute(_SQL["ids_in_blocks"], values).fetchall()}
    every = [id_ for ids in alive.values() for id_ in ids]
    db.execute(_SQL["forget_reports"], values | {"alive": every})
    kept = []
    for _, packed in read_blocks(db, alive):
        kept += [report for report in unpack(packed) if report[0] in alive[report[0] // PER_BLOCK]]
    touched = delete_blocks(db, blocks)
    add_blocks(db, pack(kept))
    shrink(db, [table for table in touched if table.until * PER_BLOCK <= database.position], KEPT_SHARE)
    db.execute(_SQL["forget_stale"], values)


def _with(statement: str, **places: str) -> str:
    for place, filling in places.items():
        statement = statement.replace(f"{{{place}}}", filling)
    return statement
