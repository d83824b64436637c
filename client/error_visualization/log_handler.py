"""Reports what is logged: `logging.getLogger().addHandler(LogHandler())`."""

from __future__ import annotations

import contextlib
import logging
from typing import Any

OWN = "error_visualization"


class LogHandler(logging.Handler):
    """Reports records of `level` and above, with the exception that they carry, if any. An exception is reported once.
    `fields` are added to each report."""

    def __init__(self, level: int = logging.ERROR, **fields: Any) -> None:
        super().__init__(level)
        self._fields = fields

    def handle(self, record: logging.LogRecord) -> Any:
        """As that of any handler, but without its lock: threads that report would wait for each other, and so would the
        thread that writes reports to disk, which logs as well."""
        found: Any = self.filter(record)
        if found:
            self.emit(found if isinstance(found, logging.LogRecord) else record)
        return found

    def emit(self, record: logging.LogRecord) -> None:
        if record.name == OWN or record.name.startswith(OWN + "."):
            return
        with contextlib.suppress(Exception):
            self._report(record)

    def _report(self, record: logging.LogRecord) -> None:
        from error_visualization import api
        from error_visualization.plain import text_of

        reporter = api.current()
        if reporter is None:
            return
        try:
            message = record.getMessage()
        except Exception:  # arguments that do not fit the format
            message = text_of(record.msg)
        log = {"logger": record.name, "level": record.levelname, "file": record.pathname, "line": record.lineno}
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            fields = {"log": {**log, "message": message}, **self._fields}
            api.capture_exception(error, **fields)
            return
        reporter.report({"type": record.name, "message": message, "log": log, **self._fields})
