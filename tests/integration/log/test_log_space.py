"""The log's use of disk: appends are flushed, old events are deleted when possible, and a full log recovers by itself."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

from exporter.log import LogError, LogFullError
from exporter.log import embedded as module
from exporter.log.embedded import EmbeddedLog, new_identity

pytestmark = pytest.mark.dashboard
MAX_BYTES = 2**20
PAYLOAD = b"x" * 10_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "errors.duckdb.log"


def opened(path: Path, **settings: int) -> EmbeddedLog:
    log = EmbeddedLog(path, **({"max_bytes": MAX_BYTES, "keep_events": 10} | settings))
    if not log.identity:
        log.initialise(new_identity(), 0)
    return log


def fill(log: EmbeddedLog, count: int = 1) -> int:
    """Appends until the log is full; returns its last position."""
    with pytest.raises(LogFullError, match="holds 1048576 bytes of events that the database does not have yet"):
        for _ in range(10_000):
            log.append(PAYLOAD, count)
    return log.last


def test_nothing_is_deleted_that_the_database_does_not_have(path: Path) -> None:
    log = opened(path)
    last = fill(log)
    assert 50 < last < MAX_BYTES / len(PAYLOAD)
    assert (log.first, len(log.read(1, 2**30))) == (1, last)
    log.close()
    log = opened(path)
    assert (log.first, log.last) == (1, last)
    with pytest.raises(LogFullError):
        log.append(PAYLOAD, 1)
    log.close()


def test_a_full_log_takes_events_again_when_the_database_has_some(path: Path) -> None:
    log = opened(path)
    last = fill(log)
    with pytest.raises(LogFullError):
        log.probe()
    log.trim(last // 4)
    log.probe()
    assert log.first <= last // 4 + 1
    assert log.append(PAYLOAD, 1) == last + 1
    further = fill(log)
    assert log.first == last // 4 + 1  # all events that may be deleted are deleted
    assert further > last
    with pytest.raises(LogError, match=f"begins at position {log.first}; position 1 was trimmed"):
        log.read(1, 1)
    log.trim(further)
    log.probe()
    log.close()


@pytest.mark.parametrize("size", [500, 2_000, 4_000, 100_000])
def test_a_probe_fails_as_soon_as_a_report_does_not_fit(path: Path, size: int) -> None:
    """Otherwise a service that refuses every report would be ready."""
    log = opened(path)
    with pytest.raises(LogFullError):
        while True:
            log.append(b"x" * size, 1)
    if size < module.ROOM_BYTES:
        with pytest.raises(LogFullError):
            log.probe()
    log.close()


def test_many_small_events_are_measured_as_they_are(path: Path) -> None:
    """Each append first counts as a whole page; when the log seems full, it is measured."""
    log = opened(path)
    with pytest.raises(LogFullError):
        for _ in range(20_000):
            log.append(b"x" * 500, 1)
    assert log.last * 500 > 0.7 * MAX_BYTES
    assert log.bytes_used() <= MAX_BYTES
    log.close()


def test_the_newest_events_are_kept_for_those_who_resume(path: Path) -> None:
    log = opened(path)
    for _ in range(30):
        log.append(b"x", 1)
        log.trim(log.last)
    assert (log.first, log.last) == (20, 30)  # an append trims before it counts itself
    log.close()


def test_of_large_events_fewer_are_kept(path: Path) -> None:
    """So events that the database already has never fill the log."""
    log = opened(path, keep_events=1_000)
    for _ in range(300):
        log.append(PAYLOAD, 1)
        log.trim(log.last)
    assert log.bytes_used() <= MAX_BYTES / 2 + 3 * len(PAYLOAD)
    assert log.last - log.first > 20
    log.close()


def test_a_backlog_is_deleted_by_and_by(path: Path) -> None:
    """Each append deletes only a part, so that none takes long."""
    log = opened(path, keep_events=0)
    for _ in range(1_000):
        log.append(b"x", 1)
    log.trim(log.last)
    log.append(b"x", 1)
    assert log.first == module.TRIM_BATCHES + 1
    for _ in range(20):
        log.append(b"x", 1)
    assert log.first == 1_001
    log.close()


def test_the_file_does_not_grow_with_what_goes_through_it(path: Path) -> None:
    log = opened(path)
    for _ in range(100):
        log.append(PAYLOAD, 1)
        log.trim(log.last)
    size = path.stat().st_size
    for _ in range(500):
        log.append(PAYLOAD, 1)
        log.trim(log.last)
    assert path.stat().st_size <= 1.5 * size
    log.close()


def test_an_emptied_log_goes_on_where_it_was(path: Path) -> None:
    """As if the process was killed after it had deleted all events to make room for an append."""
    log = opened(path, keep_events=0)
    log.append(b"x" * 600_000, 7)
    log.trim(7)
    log._make_room(600_000)
    assert (log.first, log.last, log.read(8, 1)) == (8, 7, [])
    identity = log.identity
    log.close()
    log = opened(path, keep_events=0)
    assert (log.identity, log.first, log.last) == (identity, 8, 7)
    assert log.append(b"x" * 600_000, 1) == 8
    log.close()


def test_an_append_larger_than_the_log_is_refused_and_the_log_stays_well(path: Path) -> None:
    log = opened(path)
    with pytest.raises(LogFullError):
        log.append(b"x" * 2 * MAX_BYTES, 1)
    assert (log.append(b"x", 1), log.last) == (1, 1)
    log.close()


def test_a_slow_reader_of_old_pages_does_not_stop_appends(path: Path) -> None:
    log = opened(path)
    log.append(PAYLOAD, 1)
    with log._env.begin() as pinned:  # like a hanging read in another process
        for _ in range(1_000):
            log.append(PAYLOAD, 1)
            log.trim(log.last)
        assert pinned.stat(log._events_db)["entries"] == 1
    log.close()


def test_a_full_disk_refuses_an_append_and_keeps_the_others(path: Path) -> None:
    """A resource limit on the file's size makes a real write fail. LMDB reports a partial write as an I/O error."""
    code = f"""
import resource, signal
from pathlib import Path
from exporter.log import LogError, LogFullError
from exporter.log.embedded import EmbeddedLog
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
path = Path({str(path)!r})
log = EmbeddedLog(path)
log.initialise("a" * 32, 0)
log.append(b"one", 1)
resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 20_000, resource.RLIM_INFINITY))
try:
    log.append(b"x" * 100_000, 1)
except LogError as error:
    assert not isinstance(error, LogFullError)
    print(error)
log.probe()
print(log.append(b"two", 1))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    failure, position = done.stdout.splitlines()
    assert "Input/output error" in failure
    assert position == "2"
    log = opened(path)
    assert [record.payload for record in log.read(1, 2**20)] == [b"one", b"two"]
    log.close()


@pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")
@pytest.mark.parametrize("call", ["append(b'payload', 1)", "probe()"])
def test_what_was_written_is_flushed_before_the_call_returns(path: Path, call: str) -> None:
    """Checks the system calls: each write to the file is followed by fdatasync, or uses a synchronous file descriptor."""
    code = f"""
import os
from pathlib import Path
from exporter.log.embedded import EmbeddedLog
log = EmbeddedLog(Path({str(path)!r}))
log.initialise("a" * 32, 0)
log.append(b"first", 1)
os.write(1, b"BEGIN")
log.{call}
os.write(1, b"END")
"""
    calls = "openat,write,pwrite64,writev,pwritev,fsync,fdatasync,msync,mmap"
    traced = subprocess.run(
        ["strace", "-f", "-s", "8", "-e", f"trace={calls}", sys.executable, "-c", code],
        cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if "ptrace" in traced.stderr and traced.returncode:
        pytest.skip("strace may not trace here")
    assert traced.returncode == 0, traced.stderr[-2_000:]
    before, _, rest = traced.stderr.partition('"BEGIN"')
    within, end, _ = rest.partition('"END"')
    assert end
    opens = re.findall(rf'openat\(AT_FDCWD, "{re.escape(str(path))}", (\S+?)(?:, 0600)?\) = (\d+)', before)
    synchronous = {handle for flags, handle in opens if "O_DSYNC" in flags or "O_SYNC" in flags}
    unflushed: set[str] = set()
    writes = 0
    for name, handle in re.findall(r"\b(pwrite64|pwritev|write|writev|fsync|fdatasync)\((\d+)", within):
        if handle not in {handle for _, handle in opens}:
            continue
        if name.endswith("sync"):
            unflushed.discard(handle)
        else:
            writes += 1
            unflushed |= {handle} - synchronous
    assert writes >= 2  # the pages, and the meta page that commits them
    assert unflushed == set()
