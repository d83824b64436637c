"""Keeps the log messages of the client out of the tests: without pytest-xdist, `caplog` would have them.

A filter does it, since pytest adds its handlers to loggers that do not propagate, too.
"""

from __future__ import annotations

import logging


class Quiet(logging.Filter):
    """Drops the messages of the logger `error_visualization` from now on, until `close`. `last` is the last one."""

    def __init__(self) -> None:
        super().__init__()
        self.last = ""
        self._logger = logging.getLogger("error_visualization")
        self._logger.addFilter(self)

    def filter(self, record: logging.LogRecord) -> bool:
        self.last = record.getMessage()[:300]
        return False

    def close(self) -> None:
        self._logger.removeFilter(self)
