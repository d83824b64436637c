"""A report that `report` has taken arrives once, however the process ends right afterwards."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from bounded import bounded
from conftest import Served, stored
from recording import recording, wait_for

pytestmark = pytest.mark.dashboard
ENDS = {
    "os._exit": "os._exit(3)",
    "SIGKILL": "os.kill(os.getpid(), 9)",
    "abort": "os.abort()",
}
CODE = """
import os, sys, resource
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
from error_visualization.reporter import Reporter
reporter = Reporter(sys.argv[1], block=20)
assert reporter.report({"event_id": sys.argv[2], "message": sys.argv[2]})
"""
NEXT = """
import sys
from error_visualization.reporter import Reporter
reporter = Reporter(sys.argv[1])
sys.exit(not reporter.flush(30))
"""


def python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def files(spool: Path) -> list[Path]:
    return [path for path in spool.rglob("*.spool") if path.stat().st_size > 16]


def test_every_report_before_a_crash_arrives_once(served: Any, tmp_path: Path) -> None:
    """Some rounds end before anything is sent, some in the middle of the delivery."""
    service: Served = served()
    rounds = bounded(100, 6)
    for number in range(rounds):
        end = list(ENDS.values())[number % 2]
        pause = "" if number % 3 else f"import time; time.sleep({number % 7 / 500})\n"
        done = python(CODE + pause + end, service.url, f"round-{number}")
        assert done.returncode in (3, -signal.SIGKILL), done.stderr
    done = python(NEXT, service.url)
    assert done.returncode == 0, done.stderr
    wait_for(lambda: len(stored(service)) >= rounds, 60)  # the database follows the log
    assert Counter(stored(service)) == Counter(f"round-{number}" for number in range(rounds))
    assert not files(tmp_path / "spool")


@pytest.mark.parametrize("end", list(ENDS.values()), ids=list(ENDS))
def test_it_is_on_disk_while_the_service_is_away_and_keeps_order_and_time(end: str, tmp_path: Path) -> None:
    with recording(started=False) as service:
        for number in range(3):
            done = python(CODE + end, service.url, f"m{number}")
            assert done.returncode != 1, done.stderr
        ended = time.time()
        assert len(files(tmp_path / "spool")) == 3
        service.start()
        assert python(NEXT, service.url).returncode == 0
    assert service.messages == ["m0", "m1", "m2"]
    times = [report["timestamp"] for report in service.reports]
    assert times == sorted(times)
    assert max(times) <= time.strftime("%Y-%m-%dT%H:%M:%S.999999", time.gmtime(ended))


def test_a_running_process_adopts_what_a_dead_one_left(monkeypatch: pytest.MonkeyPatch) -> None:
    from error_visualization import delivery
    from error_visualization.reporter import Reporter

    monkeypatch.setattr(delivery, "SCAN_SECONDS", 0.1)
    with recording() as service:
        reporter = Reporter(service.url, block=20)
        assert reporter.report({"message": "own"})
        assert reporter.flush(10)
        script = "import error_visualization.delivery as d; d.Delivery.wake = lambda self: None\n"  # delivers nothing
        done = python(script + CODE + ENDS["SIGKILL"], service.url, "left")
        assert done.returncode == -signal.SIGKILL, done.stderr
        wait_for(lambda: "left" in service.messages)
        reporter.close()


def test_a_file_of_a_living_process_is_left_alone(tmp_path: Path) -> None:
    from error_visualization.reporter import Reporter

    hang = "import error_visualization.delivery as d; d.Delivery.wake = lambda self: None\n"
    with recording() as service:
        command = [
            sys.executable,
            "-c",
            hang + CODE + "print('safe', flush=True); sys.stdin.read()",
            service.url,
            "mine",
        ]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as living:
            assert living.stdout
            assert living.stdout.readline() == b"safe\n"
            reporter = Reporter(service.url, block=20)
            assert reporter.flush(10)
            assert reporter.report({"message": "other"})
            assert reporter.flush(10)
            assert service.messages == ["other"]
            os.kill(living.pid, signal.SIGKILL)
        reporter.close()
    assert service.messages == ["other", "mine"]
