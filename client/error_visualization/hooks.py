"""Reports exceptions that nothing catches. Each hook then calls the one that was there before."""

from __future__ import annotations

import contextlib
import sys
from typing import Any

_installed = False
_IGNORED = (KeyboardInterrupt, SystemExit, GeneratorExit)


def install() -> None:
    """Installs the hooks, once."""
    global _installed
    if _installed:
        return
    _installed = True
    _of_program()
    _of_threads()
    _of_unraisables()
    _of_loops()


def _capture(error: BaseException | None, **fields: Any) -> None:
    if error is None or isinstance(error, _IGNORED):
        return
    with contextlib.suppress(Exception):
        from error_visualization.api import capture_exception

        capture_exception(error, **fields)


def _of_program() -> None:
    previous = sys.excepthook

    def hook(kind: Any, error: Any, traceback: Any) -> None:
        _capture(error)
        previous(kind, error, traceback)

    sys.excepthook = hook


def _of_threads() -> None:
    import threading

    previous = threading.excepthook

    def hook(arguments: Any) -> None:
        _capture(arguments.exc_value)
        previous(arguments)

    threading.excepthook = hook


def _of_unraisables() -> None:
    previous = sys.unraisablehook

    def hook(unraisable: Any) -> None:
        _capture(unraisable.exc_value)
        previous(unraisable)

    sys.unraisablehook = hook


def _of_loops() -> None:
    """Every loop without a handler of its own calls `default_exception_handler`, a loop with one often does so, too."""
    import asyncio

    previous = asyncio.BaseEventLoop.default_exception_handler

    def handler(self: Any, context: Any) -> None:
        with contextlib.suppress(Exception):
            _capture(context.get("exception"))
        previous(self, context)

    asyncio.BaseEventLoop.default_exception_handler = handler  # type: ignore[method-assign]
