"""Deletes old errors: those that are older than an age, and the oldest ones while the database is larger than a number
of bytes. An error's age counts from when it happened or, if that is later, was received: an import is not deleted at
once. Pinned errors stay. What is deleted is added to the sums by the day (`history_*`).

A step is one transaction. It deletes `AT_ONCE` errors at most, unless one minute has more, and only errors of one day.
"""

import datetime as dt
import logging
import time
from collections.abc import Iterator
from functools import partial
from typing import Final

import duckdb

from exporter.store.database import Database, wal
from exporter.store.deleting import DAY, Chosen, delete_span, trim_reports, unpinned
from exporter.store.insert import Inserter
from exporter.store.matching import all_of
from exporter.store.report_tables import report_tables, rewrite
from exporter.store.rollup_tables import MINUTE, floor, literal
from exporter.store.rollups import Rollups, rolled_up
from exporter.store.sql import filled, named, number
from exporter.store.summaries import delete_summaries
from exporter.store.trusted_time import TrustedTime

EVERY_SECONDS: Final = 15.0  # between two looks for old errors
AT_ONCE: Final = 131_072  # errors of one step
DOUBT_SECONDS: Final = 600.0
FREED_NOTHING_SECONDS: Final = 3600.0  # to wait after errors were deleted that freed no space
TEXTS_EVERY_SECONDS: Final = 3600.0  # between two looks for texts that no error has
HISTORY: Final = 366 * DAY
WIDTHS: Final = (60 * MINUTE, 15 * MINUTE, MINUTE)  # the age is rounded up to a multiple: fewer spans are counted twice
ROUNDED: Final = 24  # an age is rounded up by this part of it at most, unless that is less than a minute
TARGET_SHARE: Final = 0.95  # of the allowed bytes: deletes some more, so that it need not delete all the time
_SQL: Final = named("delete.sql")
_log = logging.getLogger(__name__)


class Retention:
    """Deletes errors of `database`. The caller of `step` must hold `database.writing`. `age` is how long errors are
    kept, None for ever; `max_bytes` how large the database may be, 0 for any size. `deletions` counts the steps that
    deleted errors: answers that were read before are outdated."""

    def __init__(
        self, database: Database, inserter: Inserter, rollups: Rollups, age: dt.timedelta | None, max_bytes: int
    ) -> None:
        self.deletions = 0
        self._database = database
        self._inserter = inserter
        self._rollups = rollups
        self._age = age
        self._max_bytes = max_bytes
        self._sweep: Iterator[None] | None = None
        self._next_sweep = 0.0  # monotonic time
        self._texts_since: float | None = None  # monotonic time since which texts may be unused
        self._is_warned = False
        self._shrink_from = 0.0  # monotonic time
        self._clock = TrustedTime()
        self._doubt_since: float | None = None  # monotonic time
        self._newest: int | None = None  # the id of the newest error at the start
        self._is_sure = False  # that the clock was right at the start; for later, `TrustedTime` is there

    def step(self) -> bool:
        """Does one step, if it is time. Returns whether there may be more to do now. Raises `StoreError` and
        duckdb.Error; the next sweep then begins again."""
        if trim_reports(self._database):
            return True
        if self._sweep is None:
            if time.monotonic() < self._next_sweep:
                return False
            self._next_sweep = time.monotonic() + EVERY_SECONDS
            now = self._clock.now()
            if self._would_delete_all(now):
                return False
            self._sweep = self.sweep(now)
        sweep, self._sweep = self._sweep, None
        for _ in sweep:
            self._sweep = sweep
            return True
        return False

    def _would_delete_all(self, now: dt.datetime) -> bool:
        """Returns whether even the error that was received last before the start is too old, for the first
        `DOUBT_SECONDS`. The clock of a machine that has just started may be wrong."""
        if self._age is None or self._is_sure:
            return False
        if not self._only_older_than(now - self._age):
            self._is_sure = True
            return False
        if self._doubt_since is None:
            self._doubt_since = time.monotonic()
            _log.warning(
                "all errors are too old; if the clock is right, they are deleted in %.0f min", DOUBT_SECONDS / 60
            )
        self._is_sure = time.monotonic() - self._doubt_since >= DOUBT_SECONDS
        return not self._is_sure

    def _only_older_than(self, cut: dt.datetime) -> bool:
        """Returns whether there are errors of before the start, and all of them were received before `cut`."""
        db = self._database.db
        if self._newest is None:
            self._newest = number(db, "SELECT coalesce(max(id), 0) FROM errors")
        newer = "SELECT id FROM errors WHERE id <= $newest AND received_at >= $cut LIMIT 1"
        if db.execute(newer, {"newest": self._newest, "cut": cut}).fetchone() is not None:
            return False
        older = "SELECT id FROM errors WHERE id <= $newest LIMIT 1"
        return db.execute(older, {"newest": self._newest}).fetchone() is not None

    def sweep(self, now: dt.datetime) -> Iterator[None]:
        """Deletes what is too old or too much at `now` (naive UTC). Yields after each step; the caller may release the
        lock then. Raises as `step`."""
        if self._age is not None:
            cut = floor(now - self._age, step_width(self._age))
            yield from self._delete_before(cut, f"received_at < {literal(cut)}")
        self._delete_summaries(max(now - (self._age or HISTORY), now - HISTORY))
        if self._max_bytes:
            yield from self._shrink(now)
        if self._texts_since is not None and time.monotonic() - self._texts_since > TEXTS_EVERY_SECONDS:
            self._inserter.forget_unused_texts()
            self._inserter.forget_unused_names()
            self._texts_since = None
        for table in ("history_pattern", "history_worker"):
            self._database.db.execute(f"DELETE FROM {table} WHERE day < $before", {"before": now - HISTORY})

    def _delete_before(self, cut: dt.datetime, condition: str = "true") -> Iterator[None]:
        """Deletes the errors that happened before `cut` and meet a condition."""
        db = self._database.db
        while True:
            wanted = all_of((condition, unpinned(db)))
            statement = filled(_SQL["oldest"], {"condition": wanted})
            ((oldest, last),) = db.execute(statement, {"before": cut}).fetchall()
            if oldest is None:
                return
            if last > rolled_up(db).rolled:
                self._rollups.step(1)
            else:
                end = self._end_of_step(oldest, min(cut, floor(oldest, DAY) + DAY))
                delete_span(self._database, Chosen(floor(oldest, MINUTE), end, wanted), add_history=True)
                self.deletions += 1
                self._texts_since = self._texts_since or time.monotonic()
            yield

    def _delete_summaries(self, before: dt.datetime) -> bool:
        """Deletes the summaries of runs that were received before a moment. Returns whether there were any."""
        deleted = delete_summaries(self._database, before)
        if deleted:
            self.deletions += 1
            self._texts_since = self._texts_since or time.monotonic()
        return deleted

    def _end_of_step(self, oldest: dt.datetime, end: dt.datetime) -> dt.datetime:
        """Returns a minute up to `end`: from `oldest` to before it there are `AT_ONCE` errors at most, or it is only a
        minute."""
        start, total = floor(oldest, MINUTE), 0
        for minute, errors in self._database.db.execute(_SQL["minutes"], {"since": start, "until": end}).fetchall():
            total += errors
            if total > AT_ONCE and minute > start:
                return min(minute, end)  # type: ignore[no-any-return]
        return end

    def _shrink(self, now: dt.datetime) -> Iterator[None]:
        """Deletes the oldest errors while the database is too large. Does nothing while no checkpoint is possible: the
        space of deleted errors would still be in use, so each sweep would delete more."""
        if used_bytes(self._database) <= self._max_bytes or time.monotonic() < self._shrink_from:
            return
        if not self._checkpoint():
            return
        used = used_bytes(self._database)
        if used <= self._max_bytes:
            self._is_warned = False
            return
        db = self._database.db
        excess = number(db, "SELECT count(*) FROM errors") * (1 - self._max_bytes * TARGET_SHARE / used)
        cut = None
        statement = filled(_SQL["every_minute"], {"condition": unpinned(db)})
        for minute, count in db.execute(statement).fetchall():
            if excess <= 0 or minute >= now - MINUTE:
                break
            cut = minute + MINUTE
            excess -= count
        self._delete_summaries(cut or now - MINUTE)
        if cut is None:
            self._warn(used, "nothing more can be deleted: the rest is pinned or younger than a minute")
            return
        for _ in self._delete_before(cut):
            yield
            if self._database.hold_wanted:
                return
        while trim_reports(self._database):
            yield
        # A report table is dropped when it has no rows left; to delete until then could be far too much.
        for table in report_tables(db):
            if table.deleted:
                self._database.transact(partial(rewrite, db, table, 0.0))
                yield
        if self._checkpoint() and used_bytes(self._database) >= used:
            self._shrink_from = time.monotonic() + FREED_NOTHING_SECONDS
            self._warn(used, "its oldest errors were deleted, but that freed no space; the next ones are in an hour")

    def _checkpoint(self) -> bool:
        """Returns whether there was one. While a backup runs there is none, because it would have to begin again."""
        if self._database.hold_wanted:
            return False
        try:
            self._database.db.execute("CHECKPOINT")
        except duckdb.TransactionException as error:  # something is being read since before the last insertion
            _log.debug("no checkpoint: %s", error)
            return False
        return True

    def _warn(self, used: int, words: str) -> None:
        if not self._is_warned:
            self._is_warned = True
            _log.warning("the database uses %d bytes, more than max_db_size (%d): %s", used, self._max_bytes, words)


def step_width(age: dt.timedelta) -> dt.timedelta:
    """Returns the width of the spans that are deleted as a whole."""
    return next((width for width in WIDTHS if width <= age / ROUNDED), MINUTE)


def used_bytes(database: Database) -> int:
    """Returns the bytes that the database uses on disk, with its write-ahead log and without the free blocks of its
    file. Raises duckdb.Error."""
    try:
        logged = wal(database.path).stat().st_size
    except FileNotFoundError:  # as after each checkpoint
        logged = 0
    return number(database.db, _SQL["used_bytes"]) + logged
