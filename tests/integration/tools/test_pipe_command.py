"""`error-visualization pipe` as a process, with a real service."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from error_visualization.pipe.reader import CUT, MAX_LINE, Reader
from kernel_log import microseconds
from reported import Reported, on_slow_disk

pytestmark = pytest.mark.dashboard
LOG = f"""starting
2026-03-15 12:00:00,123 ERROR [main] shard 3 failed
Traceback (most recent call last):
  File "x.py", line 1, in f
ValueError: no
{{"level":"error","msg":"boom"}}
3,1234,{microseconds()},-;NVRM: Xid (PCI:0000:3b:00): 79, pid='<unknown>', name=<unknown>, GPU has fallen off the bus.
done
"""


def test_the_errors_of_a_log(reported: Reported) -> None:
    done = subprocess.run(reported.options("pipe"), input=LOG, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    found = {report["type"]: report for report in reported.reports(3)}
    assert found["ValueError"]["log_message"] == "[main] shard 3 failed"
    assert found["LogError"]["message"] == "boom"
    assert found["XID 79"]["severity"] == "critical"


def test_lines_are_reported_while_the_log_goes_on_and_the_rest_at_sigterm(reported: Reported) -> None:
    with subprocess.Popen(reported.options("pipe"), stdin=subprocess.PIPE, text=True) as process:
        assert process.stdin
        process.stdin.write("ERROR: first\n")
        process.stdin.flush()
        assert reported.report()["message"] == "first"
        process.send_signal(signal.SIGSTOP)  # so that it has not read this before the signal
        process.stdin.write("ERROR: second\nERROR: without an end of line")
        process.stdin.flush()
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGCONT)
        assert process.wait(20) == 0
    assert [report["message"] for report in reported.reports(3)] == ["first", "second", "without an end of line"]


def test_the_same_kernel_line_read_again_is_one_error(reported: Reported) -> None:
    for _ in range(2):
        subprocess.run(reported.options("pipe"), input=LOG.split("\n")[-3], text=True, timeout=60, check=True)
    reported.report()


def test_without_a_service_it_says_so() -> None:
    environ = {name: value for name, value in os.environ.items() if "ERROR_VISUALIZATION" not in name}
    from reported import tool

    done = subprocess.run(tool("pipe"), input="", capture_output=True, text=True, env=environ, timeout=60)
    assert done.returncode == 2
    assert "ERROR_VISUALIZATION_URL" in done.stderr


def test_a_slow_disk_is_no_loss(reported: Reported) -> None:
    done = subprocess.run(on_slow_disk(reported.options("pipe")), input=LOG, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    reported.reports(3)


def test_long_lines_are_cut(tmp_path: Path) -> None:
    read, write = os.pipe()
    reader = Reader(read)
    with os.fdopen(write, "wb") as out:
        out.write(b"a" * (MAX_LINE * 3) + b"\nshort\n" + b"b" * (MAX_LINE + 1) + b"\nlast")
    lines = list(reader.lines(5))
    assert lines == ["a" * MAX_LINE + CUT, "short", "b" * MAX_LINE + CUT, "last"]
    os.close(read)


def test_the_program_that_writes_never_waits_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("error_visualization.pipe.reader.MAX_WAITING", 10)
    monkeypatch.setattr("error_visualization.pipe.reader.MAX_WAIT", 0.2)
    read, write = os.pipe()
    reader = Reader(read)
    begun = time.monotonic()
    with os.fdopen(write, "wb") as out:
        for _ in range(200):
            out.write(b"x" * 5_000 + b"\n")
            out.flush()
    assert time.monotonic() - begun < 3
    lines = list(reader.lines(5))
    assert len(lines) + reader.dropped == 200
    assert reader.dropped > 100
    os.close(read)
