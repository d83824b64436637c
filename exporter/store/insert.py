"""Inserts events into the database: their rows, reports, searched texts, templates and aliases."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from exporter.events.event import ErrorEvent
from exporter.store import StoreError
from exporter.store.database import Database
from exporter.store.names import Name, Names, Table
from exporter.store.report_tables import add_blocks
from exporter.store.reports import PER_BLOCK, Report, pack, split
from exporter.store.rows import names, pattern_row, row
from exporter.store.sql import filled, named
from exporter.store.templates import DeletedTemplates
from exporter.store.texts import Texts

APPENDED_AT_ONCE: Final = 100  # rows; a longer call would hold the interpreter lock for too long
PACKED_AT_ONCE: Final = 64 * PER_BLOCK  # ids in one step of packing
PACKED_BYTES: Final = 2**24  # of reports in one step of packing; more would not fit into DuckDB's memory
# The tables of names that are deleted when nothing has them any more, and the columns of `errors` that do.
USED_BY: Final[dict[Table, str]] = {
    "runs": "run", "jobs": "job", "suites": "suite", "branches": "branch", "commits": "revision", "users": "submitter",
    "tests": "test", "device_sets": "devices",
}  # fmt: skip
_WRITE: Final = named("write.sql")


class Inserter:
    """Inserts events into `database`. The caller must hold `database.writing`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._names = Names()
        self._texts = Texts()
        self._templates = DeletedTemplates()

    def insert(self, events: Sequence[ErrorEvent], also: Callable[[], None] = lambda: None) -> None:
        """Inserts events that follow the database's position, in one transaction that also moves the position and does
        what `also` writes. Raises `StoreError`."""

        def write() -> None:
            self._write(events)
            also()

        try:
            self._database.transact(write, position=events[-1].id)
        except StoreError:
            self._names.forget()
            self._texts.forget()
            self._templates.forget()
            raise

    def ids(self, wanted: Iterable[Name]) -> dict[Name, int]:
        """Returns the integers of names; new names get the next ones. Needs a transaction; after a failed one, call
        `forget_names`. Raises duckdb.Error."""
        return self._names.ids(self._database.db, wanted)

    def forget_names(self) -> None:
        """To be called after a transaction with `ids` has failed, or names were deleted."""
        self._names.forget()

    def put_back(self, events: Sequence[ErrorEvent]) -> None:
        """Inserts the rows and reports of events before the database's position, in one transaction. Raises
        `StoreError`."""

        def write() -> None:
            self._write_rows(events)
            ids = [event.id for event in events]
            self._database.db.execute("DELETE FROM single_reports WHERE id IN (SELECT unnest($ids))", {"ids": ids})
            self._database.singles.append_rows([(event.id, event.body) for event in events])
            self._database.singles.flush()

        self._database.transact(write)

    def _write(self, events: Sequence[ErrorEvent]) -> None:
        self._write_rows(events)
        self._write_reports([(event.id, event.body) for event in events])
        self._write_patterns(events)

    def _write_rows(self, events: Sequence[ErrorEvent]) -> None:
        database = self._database
        ids = self._names.ids(database.db, (name for event in events for name in names(event)))
        texts = self._texts.ids(database.db, events)
        rows = [row(event, ids, text) for event, text in zip(events, texts, strict=True)]
        for start in range(0, len(rows), APPENDED_AT_ONCE):
            database.errors.append_rows(rows[start : start + APPENDED_AT_ONCE])
        database.errors.flush()

    def _write_patterns(self, events: Sequence[ErrorEvent]) -> None:
        database = self._database
        new = [event for event in events if event.is_new_fingerprint or event.is_new_pattern]
        self._templates.restore(database.db, events)
        if new:
            database.patterns.append_rows([pattern_row(event) for event in new])
            database.patterns.flush()
        aliases = [event for event in new if event.alias]
        if aliases:
            values = {"old": [one.alias for one in aliases], "new": [one.fingerprint for one in aliases]}
            database.db.execute(_WRITE["add_aliases"], values)

    def _write_reports(self, reports: list[Report]) -> None:
        """Packs the blocks that these reports complete, and keeps the other reports as they are."""
        database = self._database
        complete, others = split(reports, reports[-1][0])
        if complete:
            self._pack(complete[0][0] // PER_BLOCK * PER_BLOCK, complete[-1][0] + 1, complete)
        if others:
            database.singles.append_rows(others)
            database.singles.flush()

    def templates_were_deleted(self) -> None:
        """To be called after each step of a deletion on request, also after a failed one."""
        self._templates.forget()

    def forget_unused_texts(self) -> None:
        """Deletes the searched texts that no error has. Raises `StoreError`."""
        try:
            self._database.transact(lambda: self._database.db.execute(_WRITE["forget_unused_texts"]))
        finally:  # also after a failure: the change may have been made
            self._texts.forget()

    def forget_unused_names(self) -> None:
        """Deletes the ids of runs, tests and so on that neither an error nor a summary has. Raises `StoreError`."""

        def write() -> None:
            for table, column in USED_BY.items():
                more = " UNION ALL SELECT run FROM run_summaries" if table == "runs" else ""
                more = " UNION ALL SELECT test FROM run_tests" if table == "tests" else more
                self._database.db.execute(
                    filled(_WRITE["forget_unused_names"], {"table": table, "column": column, "more": more})
                )

        try:
            self._database.transact(write)
        finally:  # also after a failure: the change may have been made
            self._names.forget()

    def pack_step(self) -> bool:
        """Packs single reports of complete blocks, which the upgrade of an earlier release leaves: those of
        `PACKED_AT_ONCE` ids or fewer. Returns whether there may be more. Raises `StoreError`."""
        ((oldest,),) = self._database.db.execute(_WRITE["oldest_single_report"]).fetchall()
        if oldest is None:
            return False
        first = oldest // PER_BLOCK * PER_BLOCK
        end = min(first + PACKED_AT_ONCE, (self._database.position + 1) // PER_BLOCK * PER_BLOCK)
        if end <= first:
            return False
        upto = self._end_of_step(first, end)
        self._database.transact(lambda: self._pack(first, upto, []))
        return True

    def _end_of_step(self, first: int, end: int) -> int:
        """Returns an id up to `end`: the single reports from `first` to before it have `PACKED_BYTES` at most, or are
        only one."""
        total = 0
        sizes = self._database.db.execute(_WRITE["single_report_sizes"], {"first": first, "end": end}).fetchall()
        for id_, size in sizes:
            if total and total + size > PACKED_BYTES:
                return int(id_)
            total += size
        return end

    def _pack(self, first: int, end: int, reports: list[Report]) -> None:
        """Packs `reports` and the single ones with ids from `first` to before `end`."""
        database = self._database
        bounds = {"first": first, "end": end}
        singles = database.db.execute(_WRITE["single_reports"], bounds).fetchall()
        if singles:
            database.db.execute(_WRITE["forget_single_reports"], bounds)
        add_blocks(database.db, pack([*reports, *singles]))
