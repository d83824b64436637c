"""A damaged file is named in the log once, also when several threads meet it at the same moment."""

import logging
import threading
import time
from concurrent import futures
from pathlib import Path

import duckdb
import pytest

from exporter.store.database import Database
from exporter.store.faults import DAMAGE

pytestmark = pytest.mark.dashboard
THREADS = 4


def test_damage_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    class Slow(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            time.sleep(0.05)  # a log that is written slowly, so that the other threads come while it is

    slow, together = Slow(), threading.Barrier(THREADS)
    database = Database(tmp_path / "errors.duckdb")

    def fails() -> None:
        together.wait(10)
        database.failed(duckdb.IOException(DAMAGE[0]))

    logging.getLogger("exporter.store.database").addHandler(slow)
    try:
        with futures.ThreadPoolExecutor(THREADS) as threads:
            for future in [threads.submit(fails) for _ in range(THREADS)]:
                future.result(20)
    finally:
        logging.getLogger("exporter.store.database").removeHandler(slow)
    assert len([record for record in caplog.records if DAMAGE[0] in record.message]) == 1
    assert database.damage
