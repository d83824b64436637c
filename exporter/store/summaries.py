"""Copies the summaries of runs from the log into the database.

    run_summaries   a row for each run and sender: counts and times
    run_tests       a row for each test of a summary: its worker and outcome

A summary replaces what the same sender said of the same run before. Each is one transaction, which also moves
`summaries_read`, so a crash neither loses nor doubles one.
"""

import datetime as dt
import itertools
import logging
import zlib
from typing import Final

import msgspec

from exporter.events.run_summary import RunSummary, decode_summary
from exporter.log import LogError
from exporter.log.embedded import EmbeddedLog
from exporter.store import StoreError
from exporter.store.database import Database
from exporter.store.insert import Inserter
from exporter.store.names import Name
from exporter.store.sql import number

READ_BYTES: Final = 2**22  # of summaries that are read from the log at once
INSERTED_AT_ONCE: Final = 5_000  # tests
_json = msgspec.json.Encoder().encode
_log = logging.getLogger(__name__)


class Summaries:
    """Follows the summaries of the log. `number` is that of the last one that `database` has. The caller must hold
    `database.writing`, except for `wait`."""

    def __init__(self, database: Database, log: EmbeddedLog, inserter: Inserter) -> None:
        self.number = 0
        self._database = database
        self._log = log
        self._inserter = inserter
        self._known = False  # whether `number` was read from the database

    def wait(self) -> bool:
        """Returns whether the log has summaries that the database lacks. Any thread may ask. Raises `StoreError`."""
        try:
            return not self._known or self._log.last_summary > self.number
        except LogError as error:
            raise StoreError(str(error)) from error

    def begin_again(self) -> None:
        """Makes `catch_up` insert every summary that the log still has. One that is there is replaced by itself."""
        self.number, self._known = 0, True

    def catch_up(self) -> None:
        """Inserts all summaries that the database lacks. Raises `StoreError`."""
        if not self._known:
            found = self._database.db.execute("FROM summaries_read").fetchall()
            self.number = next((number for identity, number in found if identity == self._log.identity), 0)
            self._known = True
        if not self.wait():
            return
        try:
            while entries := self._log.summaries(self.number, READ_BYTES):
                for entry in entries:
                    self._insert(entry.number, entry.payload)
        except LogError as error:
            raise StoreError(str(error)) from error

    def _insert(self, place: int, payload: bytes | None) -> None:
        summary = None
        try:
            summary = None if payload is None else decode_summary(payload)
        except (msgspec.DecodeError, zlib.error) as error:
            _log.error("the summary %d of the log cannot be decoded: %s", place, error)
        if summary is None:
            _log.error("the summary %d of the log is damaged and is left out", place)

        def write() -> None:
            if summary is not None:
                self._write(summary)
            values = {"identity": self._log.identity, "number": place}
            self._database.db.execute("DELETE FROM summaries_read")
            self._database.db.execute("INSERT INTO summaries_read VALUES ($identity, $number)", values)

        try:
            self._database.transact(write)
        except StoreError:
            self._inserter.forget_names()
            raise
        self.number = place

    def _write(self, summary: RunSummary) -> None:
        db = self._database.db
        ids = self._inserter.ids([("runs", summary.run), ("workers", summary.sender)])
        run, sender = ids["runs", summary.run], ids["workers", summary.sender]
        for table in ("run_summaries", "run_tests"):
            db.execute(f"DELETE FROM {table} WHERE run = $run AND sender = $sender", {"run": run, "sender": sender})
        times = [
            moment and moment.replace(tzinfo=None)
            for moment in (summary.received_at, summary.started_at, summary.finished_at)
        ]
        passed, skipped, failed, errors = summary.counts
        row = [run, sender, *times, summary.complete, passed, failed, skipped, errors, _json(summary.details).decode()]
        db.execute(f"INSERT INTO run_summaries VALUES ({', '.join('?' * len(row))})", row)
        rows = (
            (worker, test, outcome)
            for worker, outcomes in summary.tests.items()
            for outcome, tests in enumerate(outcomes)
            for test in tests
        )
        while some := tuple(itertools.islice(rows, INSERTED_AT_ONCE)):
            self._write_tests(run, sender, some)

    def _write_tests(self, run: int, sender: int, some: tuple[tuple[str, str, int], ...]) -> None:
        wanted: list[Name] = [("workers", worker) for worker, _, _ in some]
        wanted += [("tests", test) for _, test, _ in some]
        ids = self._inserter.ids(wanted)
        values = {
            "run": run, "sender": sender,
            "workers": [ids["workers", worker] for worker, _, _ in some],
            "tests": [ids["tests", test] for _, test, _ in some],
            "outcomes": [outcome for _, _, outcome in some],
        }  # fmt: skip
        self._database.db.execute(
            "INSERT INTO run_tests SELECT $run, $sender, unnest($workers::INTEGER[]), unnest($tests::INTEGER[]), "
            "unnest($outcomes::UTINYINT[])",
            values,
        )


def delete_summaries(database: Database, before: dt.datetime) -> bool:
    """Deletes the summaries that were received before a moment (naive UTC), with their tests. Returns whether there
    were any. The caller must hold `database.writing`. Raises `StoreError` and duckdb.Error."""
    old = "FROM run_summaries WHERE received_at < $before"
    if not number(database.db, f"SELECT count(*) {old}", {"before": before}):
        return False

    def write() -> None:
        tests = f"DELETE FROM run_tests WHERE (run, sender) IN (SELECT (run, sender) {old})"
        database.db.execute(tests, {"before": before})
        database.db.execute(f"DELETE {old}", {"before": before})

    database.transact(write)
    return True
