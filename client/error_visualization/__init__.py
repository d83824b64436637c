"""Reports the errors of a worker to an Error Visualization service.

    import error_visualization

    error_visualization.init("http://errors.example.com:8080")

Then exceptions that nothing catches are reported, and `capture_exception()` reports others. What a name needs is
imported when the name is first used, so that the import itself costs next to nothing.
"""

from __future__ import annotations

__version__ = "0.1.0"

TYPE_CHECKING = False  # type checkers take it for true; `typing` would cost more than all of this module
if TYPE_CHECKING:
    from error_visualization.api import (
        capture_exception,
        close,
        error_report,
        flush,
        init,
        report_error,
        report_error_sync,
    )
    from error_visualization.log_handler import LogHandler
    from error_visualization.monitor import monitor
    from error_visualization.reporter import Reporter

_PLACES = {
    "LogHandler": "log_handler",
    "Reporter": "reporter",
    "capture_exception": "api",
    "close": "api",
    "error_report": "api",
    "flush": "api",
    "init": "api",
    "monitor": "monitor",
    "report_error": "api",
    "report_error_sync": "api",
}

__all__ = [
    "LogHandler", "Reporter", "__version__", "capture_exception", "close", "error_report", "flush", "init", "monitor",
    "report_error", "report_error_sync",
]  # fmt: skip


def __getattr__(name: str) -> object:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    value: object = getattr(importlib.import_module(f"{__name__}.{_PLACES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_PLACES})
