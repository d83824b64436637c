"""The embedded log: any process reads the events in order, and events are deleted only when they may be."""

import os
import stat
import struct
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import lmdb
import pytest
from conftest import ROOT
from events import append, event

from exporter.events.event import decode_batch, decode_events
from exporter.log import LogDamagedError, LogError
from exporter.log.embedded import EmbeddedLog, new_identity
from exporter.log.files import log_path

pytestmark = pytest.mark.dashboard
PAYLOAD = b"x" * 10_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return log_path(tmp_path / "errors.duckdb")


@pytest.fixture
def log(path: Path) -> EmbeddedLog:
    log = EmbeddedLog(path)
    log.initialise(new_identity(), 0)
    return log


def payloads(log: EmbeddedLog, position: int, max_bytes: int = 2**30) -> list[tuple[int, int, bytes]]:
    return [tuple(record) for record in log.read(position, max_bytes)]


def test_batches_are_read_in_order_from_the_one_with_the_position(log: EmbeddedLog) -> None:
    assert [log.append(b"a", 1), log.append(b"bcd", 3), log.append(b"e" * 50_000, 1)] == [1, 2, 5]
    assert (log.first, log.last) == (1, 5)
    batches = [(1, 1, b"a"), (2, 4, b"bcd"), (5, 5, b"e" * 50_000)]
    for position, expected in ((1, batches), (2, batches[1:]), (3, batches[1:]), (4, batches[1:]), (5, batches[2:])):
        assert payloads(log, position) == expected
    assert payloads(log, 6) == []
    assert payloads(log, 1, 1) == batches[:1]
    assert payloads(log, 1, 2) == batches[:2]
    log.close()


def test_an_empty_log(path: Path) -> None:
    log = EmbeddedLog(path)
    assert (log.identity, log.base, log.first, log.last, payloads(log, 1)) == ("", 0, 1, 0, [])
    log.initialise("a" * 32, 41)
    assert (log.identity, log.base, log.first, log.last, payloads(log, 1)) == ("a" * 32, 41, 42, 41, [])
    assert log.append(b"a", 2) == 42
    with pytest.raises(LogError, match="holds events"):
        log.initialise("b" * 32, 0)
    log.close()


def test_events_come_back_with_their_positions_as_ids(log: EmbeddedLog) -> None:
    sent = append(log, [event(1), event(2, message="é\0😀", gpu_celsius=71.5, conditions="throttling")], [event(3)])
    records = log.read(1, 2**20)
    assert [one for record in records for one in decode_batch(record.payload, record.first)] == sent
    assert [one.id for one in sent] == [1, 2, 3]
    assert decode_events(records[0].payload, 1, [2]) == [sent[1]]
    log.close()


def test_everything_is_there_after_reopening(log: EmbeddedLog, path: Path) -> None:
    identity = log.identity
    append(log, [event(1), event(2)])
    log.save_state("a", b"1")
    log.save_state("b", b"2")
    assert (log.state("a"), log.state("b"), log.state("c")) == (b"1", b"2", b"")
    log.close()
    log = EmbeddedLog(path)
    assert (log.identity, log.first, log.last) == (identity, 1, 2)
    assert (log.state("a"), log.state("b"), log.state("c")) == (b"1", b"2", b"")
    log.save_state("a", b"")
    assert log.state("a") == b""
    assert log.append(b"next", 1) == 3
    log.close()


def test_a_state_is_on_disk_with_the_next_append(log: EmbeddedLog, path: Path) -> None:
    log.save_state("a", b"7")
    log.append(b"x", 1)
    code = (
        f"from pathlib import Path; from exporter.log.embedded import EmbeddedLog; "
        f"print(EmbeddedLog(Path({str(path)!r}), readonly=True).state('a').decode())"
    )
    assert in_another_process(code) == "7"
    log.close()


def in_another_process(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_another_process_reads_while_this_one_writes(log: EmbeddedLog, path: Path) -> None:
    log.append(b"one", 1)
    code = f"""
import sys
from collections.abc import Callable
from pathlib import Path
from exporter.log.embedded import EmbeddedLog
log = EmbeddedLog(Path({str(path)!r}), readonly=True)
for line in sys.stdin:
    print(log.refresh(), [record.payload for record in log.read(int(line), 2**20)], flush=True)
"""
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as reader:
        assert reader.stdin
        assert reader.stdout
        for number, expected in ((1, "1 [b'one']"), (2, "2 [b'two']"), (3, "3 [b'three']")):
            if number > 1:
                log.append(b"two" if number == 2 else b"three", 1)
            reader.stdin.write(f"{number}\n")
            reader.stdin.flush()
            assert reader.stdout.readline().strip() == expected
        reader.stdin.close()
    log.close()


def test_a_reader_in_another_process_does_not_write(log: EmbeddedLog, path: Path) -> None:
    code = f"""
from collections.abc import Callable
from pathlib import Path
from exporter.log import LogError
from exporter.log.embedded import EmbeddedLog
log = EmbeddedLog(Path({str(path)!r}), readonly=True)
for attempt in (lambda: log.append(b"x", 1), log.probe):
    try:
        attempt()
        print("written")
    except LogError:
        pass
"""
    assert in_another_process(code) == ""
    log.close()


def test_one_service_writes(log: EmbeddedLog, path: Path) -> None:
    with pytest.raises(LogError, match=r"another service is running on this database \(.*\.log is locked\)"):
        EmbeddedLog(path)
    log.close()
    EmbeddedLog(path).close()


def test_only_the_owner_may_read_it(log: EmbeddedLog, path: Path) -> None:
    old = os.umask(0)
    try:
        other = EmbeddedLog(path.with_name("other.log"))
    finally:
        os.umask(old)
    for file in (path, path.with_name("other.log"), path.with_name("other.log-lock")):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
    other.close()
    log.close()


def test_threads_read_beside_appends(log: EmbeddedLog) -> None:
    wrong: list[object] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            last = log.last
            got = [record.last for record in log.read(1, 2**30)]
            if got != list(range(1, len(got) + 1)) or len(got) < last:
                wrong.append(got)

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(200):
        assert log.append(b"%d" % number, 1) == number + 1
        log.probe()
    done.set()
    for thread in threads:
        thread.join()
    assert wrong == []
    log.close()


@pytest.mark.parametrize(
    "content",
    [b"", b"\0" * 8192, b"not a log" * 2000],
    ids=["empty", "zeros", "text"],
)
def test_a_file_of_something_else(path: Path, content: bytes) -> None:
    """An empty file counts as a new log, because a crash during the creation leaves one behind."""
    path.write_bytes(content)
    if not content:
        EmbeddedLog(path).close()
        return
    with pytest.raises(LogDamagedError, match=r"errors\.duckdb\.log cannot be opened as a log"):
        EmbeddedLog(path)
    assert path.read_bytes() == content


def test_a_file_of_another_release_is_refused(log: EmbeddedLog, path: Path) -> None:
    log.close()
    change(path, b"meta", b"format", b"2")
    with pytest.raises(LogDamagedError, match="has format '2'; this release reads 1"):
        EmbeddedLog(path)
    with pytest.raises(LogDamagedError, match="has format '2'"):  # the lock was released
        EmbeddedLog(path)


def change(path: Path, database: bytes, key: bytes, value: bytes) -> None:
    with lmdb.open(str(path), subdir=False, max_dbs=2) as env:
        db = env.open_db(database)
        with env.begin(write=True) as txn:
            txn.put(key, value, db=db)


@pytest.mark.parametrize("place", [12, 500, -1])
def test_a_damaged_batch_is_reported_and_the_others_are_read(log: EmbeddedLog, path: Path, place: int) -> None:
    for _ in range(3):
        log.append(PAYLOAD, 2)
    log.close()
    value = bytearray(struct.pack(">QI", 3, 0) + PAYLOAD)
    with lmdb.open(str(path), subdir=False, max_dbs=2) as env, env.begin(db=env.open_db(b"events")) as txn:
        value[:] = txn.get(struct.pack(">Q", 4))
    value[place] ^= 1
    change(path, b"events", struct.pack(">Q", 4), bytes(value))
    log = EmbeddedLog(path)
    assert log.last == 6
    with pytest.raises(LogDamagedError, match="the batch of positions 3 to 4 is damaged"):
        log.read(1, 2**30)
    assert payloads(log, 1, 1) == [(1, 2, PAYLOAD)]
    assert payloads(log, 5) == [(5, 6, PAYLOAD)]
    assert log.append(b"next", 1) == 7
    log.close()


def test_nothing_of_a_failed_append_is_kept(log: EmbeddedLog, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log.append(b"one", 1)

    def fails(_: object) -> None:
        raise OSError(28, "No space left on device")

    log.save_state("a", b"1")
    with monkeypatch.context() as patch:
        patch.setattr(log, "_write_states", fails)
        with pytest.raises(LogError, match="the disk is full"):
            log.append(b"lost", 5)
        with pytest.raises(LogError, match="the disk is full"):
            log.probe()
    assert (log.last, payloads(log, 1)) == (1, [(1, 1, b"one")])
    log.probe()
    assert log.append(b"two", 1) == 2
    log.close()
    log = EmbeddedLog(path)
    assert payloads(log, 1) == [(1, 1, b"one"), (2, 2, b"two")]
    assert log.state("a") == b"1"
    log.close()


@pytest.mark.parametrize(
    "read",
    [
        lambda log: log.first, lambda log: log.refresh(), lambda log: log.bytes_used(), lambda log: log.read(1, 1),
        lambda log: log.state("reader"),
    ],
    ids=["first", "refresh", "bytes_used", "read", "state"],
)  # fmt: skip
def test_what_lmdb_cannot_read_is_an_error_of_the_log(read: Callable[[EmbeddedLog], object], tmp_path: Path) -> None:
    """LMDB refuses a closed file as it does a damaged one: with an error of its own, which no caller knows."""
    log = EmbeddedLog(tmp_path / "log")
    log.close()
    with pytest.raises(LogError):
        read(log)
