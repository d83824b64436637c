"""Adds to the report of a failure what only the process that ran the test knows.

pytest-xdist transfers the attributes of a report if they consist of Python's plain types, so this does. Runs in the
workers of xdist, and in the process of pytest where there are none. Costs nothing for a test that passes.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Generator, Iterable
from types import TracebackType
from typing import Any

import pytest

from error_visualization.cut import cut
from error_visualization.pytest_plugin import HANDED_OVER

MOST_TEXT = 100_000  # characters of a traceback
MOST_VALUE = 200  # characters of a parameter
MOST_ITEMS = 50  # marks, parameters
_INNER = (f"{os.sep}_pytest{os.sep}", f"{os.sep}pluggy{os.sep}", f"{os.sep}unittest{os.sep}")


class Handover:
    """Hooks of pytest."""

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_makereport(self, item: Any, call: Any) -> Generator[None, Any, None]:
        outcome = yield
        report = outcome.get_result()
        if report.outcome == "failed":
            error = call.excinfo.value if call.excinfo is not None else None
            setattr(report, HANDED_OVER, {**described(error), **placed(item)})

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_make_collect_report(self, collector: Any) -> Generator[None, Any, None]:
        outcome = yield
        report = outcome.get_result()
        if report.outcome == "failed":
            excinfo = getattr(getattr(report, "call", None), "excinfo", None)
            setattr(report, HANDED_OVER, described(_cause(excinfo.value) if excinfo is not None else None))


def described(error: BaseException | None) -> dict[str, Any]:
    """Returns type, message and traceback of `error` as texts; {} for none."""
    if error is None:
        return {}
    return {
        "type": type(error).__name__,
        "module": plain(type(error).__module__),
        "message": cut(safe(str, error), MOST_TEXT),
        "traceback": cut(safe(_formatted, error), MOST_TEXT),
    }


def placed(item: Any) -> dict[str, Any]:
    """Returns process, marks and parameters of a test."""
    parameters = getattr(getattr(item, "callspec", None), "params", {})
    return {
        "pid": os.getpid(),
        "marks": _names(item.iter_markers()),
        "parameters": {
            plain(str(name)): cut(safe(repr, value), MOST_VALUE)
            for name, value in list(parameters.items())[:MOST_ITEMS]
        },
    }


def plain(text: str) -> str:
    """Returns `text` without lone surrogates, which cannot be encoded."""
    return text.encode("utf-8", "replace").decode("utf-8")


def safe(convert: Any, value: Any) -> str:
    """Returns `convert(value)` as a text that can be encoded, also if the conversion fails."""
    try:
        return plain(str(convert(value)))
    except Exception as error:
        return f"<{type(value).__name__} without a text: {type(error).__name__}>"


def _names(marks: Iterable[Any]) -> list[str]:
    return list(dict.fromkeys(plain(str(mark.name)) for mark in marks))[:MOST_ITEMS]


def _cause(error: BaseException) -> BaseException:
    """Returns the error of the test file: pytest wraps it in one of its own."""
    if type(error).__name__ == "CollectError" and error.__cause__ is not None:
        return error.__cause__
    return error


def _formatted(error: BaseException) -> str:
    lines = traceback.format_exception(type(error), error, _of_test(error.__traceback__))
    return "".join(lines)


def _of_test(first: TracebackType | None) -> TracebackType | None:
    """Returns the traceback from the first frame that is not pytest's; all of it if there is none."""
    frame = first
    while frame is not None and any(part in frame.tb_frame.f_code.co_filename for part in _INNER):
        frame = frame.tb_next
    return frame or first
