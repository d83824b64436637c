"""Makes the write connection of a database fail at one call after the other."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import duckdb

from exporter.store import StoreError
from exporter.store.database import Database

CONNECTIONS = ("db", "errors", "patterns", "singles")  # attributes of `Database`: connection and appenders
MAX_CALLS = 300
DISK_FULL = duckdb.IOException("disk full")


class Calls:
    """Counts statements, appended rows and flushes, and raises `error` at call number `at` or at the call `at`: instead of
    it, or after it."""

    def __init__(self, at: int | str, error: duckdb.Error, *, after: bool) -> None:
        self.made = 0
        self.last = ""  # the call that failed
        self._at, self._error, self._after = at, error, after

    def make(self, name: str, call: Callable[[], Any]) -> Any:
        self.made += 1
        if self._at not in (self.made, name):
            return call()
        self.last = name
        if self._after:
            call()
        raise self._error


class _Counted:
    """A connection or an appender whose calls are counted."""

    def __init__(self, real: Any, calls: Calls) -> None:
        self._real, self._calls = real, calls

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._real, name)
        if name == "appender":
            return lambda table: _Counted(real(table), self._calls)
        if name not in ("append_rows", "flush"):
            return real
        return lambda *values: self._calls.make(name, lambda: real(*values))

    def execute(self, sql: str, *values: Any) -> Any:
        if sql == "ROLLBACK":
            return self._real.execute(sql)
        return self._calls.make(sql, lambda: self._real.execute(sql, *values))


@contextmanager
def failing(
    database: Database, at: int | str, error: duckdb.Error = DISK_FULL, *, after: bool = False
) -> Iterator[Calls]:
    """Lets a call of the write connection and its appenders fail: call number `at`, or the statement `at`."""
    calls = Calls(at, error, after=after)
    for name in CONNECTIONS:
        setattr(database, name, _Counted(getattr(database, name), calls))
    try:
        yield calls
    finally:
        for name in CONNECTIONS:
            one = getattr(database, name)
            if isinstance(one, _Counted):  # the database may have been opened again
                setattr(database, name, one._real)


def fail_at_each_call(database: Database, step: Callable[[], object], check: Callable[[], object]) -> list[str]:
    """Runs `step` until it succeeds, and lets it fail at its first call, then at its second, and so on. Calls `check`
    after each failure. Returns the calls that failed."""
    failed = []
    for at in range(1, MAX_CALLS):
        with failing(database, at) as calls:
            try:
                step()
            except (StoreError, duckdb.Error):
                assert calls.last
            else:
                assert not calls.last, f"the failure of {calls.last} is not reported"
                return failed
        failed.append(calls.last)
        check()
    raise AssertionError("too many calls")
