"""Copies the summaries of runs from the log into the database.

    run_summaries   a row for each run and sender: counts and times
    run_tests       a row for each test of a summary: its worker and outcome

A summary replaces what the same sender said of the same run before. Some of them are one transaction, which also moves
`summaries_read`, so a crash neither loses nor doubles one. A transaction for each would take 20 ms, and reads wait for
all: a run whose 1,000 files arrive together would delay them for 20 s.
"""

import datetime as dt
import itertools
import logging
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

from exporter.events.run_summary import RunSummary, decode_summary
from exporter.log import Entry, LogError
from exporter.log.embedded import EmbeddedLog
from exporter.store import StoreError
from exporter.store.database import Database
from exporter.store.insert import Inserter
from exporter.store.names import Name
from exporter.store.sql import number

READ_BYTES: Final = 2**22  # of summaries that are read from the log at once
INSERTED_AT_ONCE: Final = 5_000  # tests, by one statement
SUMMARIES_AT_ONCE: Final = 500  # in a transaction,
TESTS_AT_ONCE: Final = 50_000  # or those with so many tests
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
        """Inserts the summaries that the log has when the call begins and the database lacks. Raises `StoreError`."""
        if not self._known:
            found = self._database.db.execute("FROM summaries_read").fetchall()
            self.number = next((number for identity, number in found if identity == self._log.identity), 0)
            self._known = True
        try:
            end = self._log.last_summary
            while self.number < end and (entries := self._log.summaries(self.number, READ_BYTES)):
                for some in _parts(entries):
                    self._insert(*some)
        except LogError as error:
            raise StoreError(str(error)) from error

    def _insert(self, place: int, summaries: Sequence[RunSummary]) -> None:
        """Inserts summaries, the last of which has the number `place`, in one transaction."""
        newest = {(one.run, one.sender): one for one in summaries}

        def write() -> None:
            if newest:
                self._write(list(newest.values()))
            values = {"identity": self._log.identity, "number": place}
            self._database.db.execute("DELETE FROM summaries_read")
            self._database.db.execute("INSERT INTO summaries_read VALUES ($identity, $number)", values)

        try:
            self._database.transact(write)
        except StoreError:
            self._inserter.forget_names()
            raise
        self.number = place

    def _write(self, summaries: Sequence[RunSummary]) -> None:
        """Writes summaries, each of another run or sender."""
        db = self._database.db
        wanted: list[Name] = [("runs", one.run) for one in summaries]
        wanted += [("workers", one.sender) for one in summaries]
        ids = self._inserter.ids(wanted)
        keys = [(ids["runs", one.run], ids["workers", one.sender]) for one in summaries]
        values = {"runs": [run for run, _ in keys], "senders": [sender for _, sender in keys]}
        for table in ("run_summaries", "run_tests"):
            old = "SELECT unnest($runs::INTEGER[]), unnest($senders::INTEGER[])"
            db.execute(f"DELETE FROM {table} WHERE (run, sender) IN ({old})", values)
        for key, one in zip(keys, summaries, strict=True):
            times = [
                moment and moment.replace(tzinfo=None) for moment in (one.received_at, one.started_at, one.finished_at)
            ]
            passed, skipped, failed, errors = one.counts
            row = [*key, *times, one.complete, passed, failed, skipped, errors, _json(one.details).decode()]
            db.execute(f"INSERT INTO run_summaries VALUES ({', '.join('?' * len(row))})", row)
        rows = (
            (*key, worker, test, outcome)
            for key, one in zip(keys, summaries, strict=True)
            for worker, outcomes in one.tests.items()
            for outcome, tests in enumerate(outcomes)
            for test in tests
        )
        while some := tuple(itertools.islice(rows, INSERTED_AT_ONCE)):
            self._write_tests(some)

    def _write_tests(self, some: Sequence[tuple[int, int, str, str, int]]) -> None:
        wanted: list[Name] = [("workers", worker) for _, _, worker, _, _ in some]
        wanted += [("tests", test) for _, _, _, test, _ in some]
        ids = self._inserter.ids(wanted)
        values = {
            "runs": [run for run, *_ in some],
            "senders": [sender for _, sender, *_ in some],
            "workers": [ids["workers", worker] for _, _, worker, _, _ in some],
            "tests": [ids["tests", test] for _, _, _, test, _ in some],
            "outcomes": [outcome for *_, outcome in some],
        }
        self._database.db.execute(
            "INSERT INTO run_tests SELECT unnest($runs::INTEGER[]), unnest($senders::INTEGER[]), "
            "unnest($workers::INTEGER[]), unnest($tests::INTEGER[]), unnest($outcomes::UTINYINT[])",
            values,
        )


def _parts(entries: Iterable[Entry]) -> Iterator[tuple[int, list[RunSummary]]]:
    """Yields the summaries that are inserted together, with the number of the last one. Those that are damaged are left
    out."""
    summaries: list[RunSummary] = []
    tests = place = 0
    for place, payload in entries:
        try:
            summary = None if payload is None else decode_summary(payload)
        except (msgspec.DecodeError, zlib.error) as error:
            _log.error("the summary %d of the log cannot be decoded: %s", place, error)
            continue
        if summary is None:
            _log.error("the summary %d of the log is damaged and is left out", place)
            continue
        summaries.append(summary)
        tests += sum(len(ids) for outcomes in summary.tests.values() for ids in outcomes)
        if len(summaries) >= SUMMARIES_AT_ONCE or tests >= TESTS_AT_ONCE:
            yield place, summaries
            summaries, tests = [], 0
    if place:
        yield place, summaries


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
