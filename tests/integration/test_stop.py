"""The service ends in bounded time, also while an append to the log hangs."""

import json
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from conftest import REPORT, ROOT, Served

pytestmark = pytest.mark.dashboard

HANGS = """
import sys, threading
from exporter.cli import main
from exporter.log.embedded import EmbeddedLog
EmbeddedLog.append = lambda self, payload, count: threading.Event().wait(120)
sys.exit(main(sys.argv[1:]))
"""


def post(url: str) -> None:
    body = json.dumps(REPORT).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    try:
        urllib.request.urlopen(request, timeout=30).read()
    except (urllib.error.URLError, ConnectionError):
        return
    raise AssertionError("a report was acknowledged that is not on disk")


def test_a_hanging_append_does_not_keep_it_from_ending(tmp_path: Path) -> None:
    """LMDB is not closed under the thread that uses it, and the files are whole for the next start."""
    command = [sys.executable, "-c", HANGS, "serve", "--port", "0", "--db-path", str(tmp_path / "errors.duckdb")]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stderr
        url = next(line.split()[1] for line in process.stdout if line.startswith("reports"))
        sender = threading.Thread(target=post, args=(url,))
        sender.start()
        time.sleep(0.5)  # the report is in the queue or in the append; both must end
        process.send_signal(signal.SIGTERM)
        try:
            assert process.wait(15) == 1
        finally:
            process.kill()
        assert "an append to the log hangs" in process.stderr.read()
    sender.join(5)
    assert not sender.is_alive()
    service = Served(tmp_path / "errors.duckdb")
    try:
        assert service.post({})["id"] == 1
    finally:
        assert service.stop() == 0
