"""The client says that a report is safe only when it is on disk. A kill cannot show this, because the page cache survives a
kill. So the tests check the system calls: a flush must end between the write to the spool and what the caller does next."""

import re
import shutil
import subprocess
import sys
from math import inf
from pathlib import Path

import pytest
from strace import CALLS, FLUSHES, WRITES, Call, parse

pytestmark = [
    pytest.mark.dashboard,
    pytest.mark.skipif(not shutil.which("strace"), reason="Debian's strace is not installed"),
]
SPOOL = re.compile(r".*\.(spool|new)")
REPORTS = 30
CODE = f"""
import os, sys, threading
from error_visualization.reporter import Reporter
reporter = Reporter("http://127.0.0.1:9", block=20)
def report(thread):
    for number in range({REPORTS}):
        name = f"disk-{{thread}}-{{number}}-end"
        assert reporter.report({{"event_id": name, "message": "m"}})
        os.write(1, f"safe {{name}}\\n".encode())
threads = [threading.Thread(target=report, args=(number,)) for number in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
os._exit(0)
"""


def flush_ended(calls: list[Call], write: Call) -> float:
    """Returns the line at which a flush that began after `write` has ended."""
    return min((one.ended for one in calls if one.name in FLUSHES and one.result == 0 and SPOOL.fullmatch(one.path)
                and one.began > write.ended), default=inf)  # fmt: skip


def test_each_report_is_flushed_before_report_returns(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    command = [
        "strace",
        "-f",
        "--seccomp-bpf",
        "-y",
        "-s",
        "65536",
        "-e",
        f"trace={','.join(CALLS)},rename",
        "-o",
        str(trace),
    ]
    subprocess.run([*command, sys.executable, "-c", CODE], check=True, capture_output=True, timeout=60)
    calls = parse(trace.read_text(errors="replace").splitlines())
    said = [call for call in calls if call.name == "write" and '"safe disk-' in call.arguments]
    assert len(said) == 4 * REPORTS
    for call in said:
        (name,) = re.findall(r"disk-\d+-\d+-end", call.arguments)
        write = next(one for one in calls if one.name in WRITES and SPOOL.fullmatch(one.path) and name in one.arguments)
        assert flush_ended(calls, write) < call.began, name


def test_the_name_of_a_new_file_is_flushed_before_its_first_report_is_safe(tmp_path: Path) -> None:
    """Otherwise a power cut could remove the file, or the folders that were made for it."""
    trace = tmp_path / "trace"
    command = ["strace", "-f", "-y", "-e", f"trace={','.join(CALLS)},rename,mkdir", "-o", str(trace)]
    subprocess.run([*command, sys.executable, "-c", CODE], check=True, capture_output=True, timeout=60)
    lines = trace.read_text(errors="replace").splitlines()
    calls = parse(lines)
    first_safe = next(call.began for call in calls if '"safe disk-' in call.arguments)
    (renamed,) = [call for call in calls if call.name == "rename" and ".spool" in call.arguments]
    (spool,) = (tmp_path / "spool").rglob("*.spool")
    folders = {call.path: call for call in calls if call.name == "fsync" and call.result == 0}
    flushed = folders[str(spool.parent)]
    assert renamed.ended < flushed.began
    assert flushed.ended < first_safe
    assert {str(spool.parents[1]), str(spool.parents[2])} <= set(folders)  # of the two folders that it made
