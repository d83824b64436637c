"""Keeps the log messages of the client out of the tests: without pytest-xdist, `caplog` would show them."""

from __future__ import annotations

import logging


class Quiet(logging.Handler):
    """Takes the messages of the logger `error_visualization` from now on, until `close`. `last` is the last one."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.last = ""
        self._logger = logging.getLogger("error_visualization")
        self._propagated = self._logger.propagate
        self._logger.propagate = False
        self._logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        self.last = record.getMessage()[:300]

    def close(self) -> None:
        self._logger.removeHandler(self)
        self._logger.propagate = self._propagated
        super().close()
