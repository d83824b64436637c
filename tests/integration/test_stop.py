"""The service ends in bounded time, also while an append to the log hangs."""

import sys
import time
import urllib.error
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from conftest import Served

pytestmark = pytest.mark.dashboard

HANGS = """
import sys, threading
from exporter.cli import main
from exporter.log.embedded import EmbeddedLog
EmbeddedLog.append = lambda self, payload, count: threading.Event().wait(120)
sys.exit(main(sys.argv[sys.argv.index("serve") :]))
"""


def test_a_hanging_append_does_not_keep_it_from_ending(tmp_path: Path) -> None:
    """LMDB is not closed under the thread that uses it, and the files are whole for the next start."""
    service = Served(tmp_path / "errors.duckdb", prefix=(sys.executable, "-c", HANGS))
    with ThreadPoolExecutor(1) as sender:
        answer = sender.submit(service.post, {})
        time.sleep(0.5)  # the report is in the queue or in the append; both must end
        assert service.stop() == 1
        with pytest.raises(
            (urllib.error.URLError, ConnectionError)
        ):  # a report that is not on disk is not acknowledged
            answer.result(5)
    assert any("an append to the log hangs" in line for line in service.log)
    service = Served(tmp_path / "errors.duckdb")
    try:
        assert service.post({})["id"] == 1
    finally:
        assert service.stop() == 0
