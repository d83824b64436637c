"""The pages of the log that are in memory stay few, however much is written and read."""

import mmap
import os
import re
import sys
from pathlib import Path

import pytest

from exporter.log.embedded import EmbeddedLog
from exporter.log.mapped import AROUND_BYTES, RELEASE_BYTES

pytestmark = pytest.mark.dashboard
BATCH = 100_000  # bytes
BATCHES = 5 * RELEASE_BYTES // BATCH


def resident(path: Path) -> int:
    """Returns the bytes of the file's pages that are mapped into this process and in memory."""
    smaps = Path("/proc/self/smaps").read_text()
    found = re.findall(rf" {re.escape(str(path))}\n(?:[^\n]*\n){{1,3}}?Rss: +(\d+) kB", smaps)
    assert found
    return sum(map(int, found)) * 1024


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="Linux tells what is in memory")
def test_few_pages_stay_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "log"
    log = EmbeddedLog(path, keep_events=0)
    log.initialise("1" * 32, 0)
    payloads = [bytes([number % 251]) * BATCH for number in range(BATCHES)]
    for payload in payloads:
        log.append(payload, 1)
    position = 1
    found = []
    while position <= log.last:
        records = log.read(position, 10 * BATCH)
        found += [record.payload for record in records]
        position = records[-1].last + 1
        assert resident(path) < 2 * RELEASE_BYTES
    assert found == payloads, "what was given back is read again"
    log.trim(log.last)
    for payload in payloads:
        log.append(payload, 1)
    assert resident(path) < 2 * RELEASE_BYTES
    log.close()


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="Linux tells what is mapped")
def test_small_records_count_with_what_the_kernel_maps_around_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a log that is in use for long, the pages of each record lie elsewhere."""
    log = EmbeddedLog(tmp_path / "log", keep_events=0)
    log.initialise("1" * 32, 0)
    released: list[int] = []
    monkeypatch.setattr(log._mapped, "_madvise", lambda start, *_: released.append(start))
    records = RELEASE_BYTES // AROUND_BYTES
    for _ in range(records):
        log.append(b"x", 1)
    appends = len(released)
    assert appends > 0
    assert len(log.read(1, 2 * records)) == records
    assert len(released) > appends
    log.close()


def test_a_closed_log_gives_back_nothing(tmp_path: Path) -> None:
    """The addresses may be those of other memory by then, whose content would be lost."""
    log = EmbeddedLog(tmp_path / "log")
    mapped = log._mapped
    assert mapped._ranges
    log.close()
    assert not mapped._ranges
    mapped.touched(RELEASE_BYTES, 1)


@pytest.mark.skipif(
    sys.platform != "linux", reason="elsewhere names of files are UTF-8, or nothing tells what is mapped"
)
def test_other_mapped_files_may_have_any_name(tmp_path: Path) -> None:
    other = Path(os.fsdecode(os.fsencode(tmp_path) + b"/f\xfcr"))
    other.write_bytes(b"x")
    with other.open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ):
        log = EmbeddedLog(tmp_path / "log")
        assert log._mapped._ranges
        log.close()
