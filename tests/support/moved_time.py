"""Moves the clock of this process: `datetime.now` and `time.time`, so that a service in it lives through a night in seconds.

Monotonic clocks go on as before, as on a machine whose clock was set."""

import datetime as dt
import time
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec import inspect

REAL, REAL_TIME = dt.datetime, time.time


class _Either(type):
    def __instancecheck__(cls, one: object) -> bool:
        return isinstance(one, REAL)


class Moved(REAL, metaclass=_Either):
    """Takes the place of `datetime.datetime`. Makes real ones only, so nothing of it is left after a test."""

    ahead = dt.timedelta()

    def __new__(cls, *given: Any, **more: Any) -> "Moved":
        return REAL(*given, **more)  # type: ignore[return-value]

    @classmethod
    def now(cls, tz: dt.tzinfo | None = None) -> Any:
        return REAL.now(tz) + cls.ahead


class MovedTime:
    """Use as `MovedTime(monkeypatch, at)`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, at: dt.datetime) -> None:
        monkeypatch.setattr(Moved, "ahead", at - REAL.now(dt.UTC))  # set back at the end for who kept the class
        # Which parameters are times is asked once a process.
        monkeypatch.setattr(inspect, "datetime", SimpleNamespace(**vars(dt)))
        monkeypatch.setattr(dt, "datetime", Moved)
        monkeypatch.setattr(time, "time", lambda: REAL_TIME() + Moved.ahead.total_seconds())

    def now(self) -> dt.datetime:
        return REAL.now(dt.UTC) + Moved.ahead

    def move(self, by: dt.timedelta) -> None:
        Moved.ahead += by
