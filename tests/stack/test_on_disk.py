"""A report is acknowledged only after it is on disk. A kill cannot show this, because the page cache survives a kill. So the
tests check the system calls: a flush must end between the write to the log and the answer."""

import asyncio
import contextlib
import itertools
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import aiohttp
import psutil
import pytest
from conftest import REPORT, Served
from strace import CALLS, LMDB_META_BYTES, folder_flushed, parse, unflushed

pytestmark = pytest.mark.dashboard
needs_strace = pytest.mark.skipif(not shutil.which("strace"), reason="Debian's strace is not installed")
LOG = r".*/errors\.duckdb\.log"
POSTS = 50
CONCURRENCY = (1, 8, 32)
COMMAND = ("strace", "-f", "--seccomp-bpf", "-y", "-s", "65536", "-e", f"trace={','.join(CALLS)}", "-o")


@contextlib.contextmanager
def traced(served: Callable[..., Served], trace: Path) -> Iterator[Served]:
    """A service whose system calls are written to `trace`; the file is complete when the context ends."""
    service = served(prefix=[*COMMAND, str(trace)])
    try:
        yield service
    finally:
        (python,) = psutil.Process(service.process.pid).children()  # strace itself takes no signal
        python.terminate()
        service.process.wait(30)
        service.stop()


async def post_all(url: str, event_ids: Sequence[str], concurrency: int) -> None:
    """Posts a report for each id, every tenth together with the next two as one batch."""
    waiting = list(reversed(event_ids))

    async def client(session: aiohttp.ClientSession) -> None:
        while waiting:
            reports = [REPORT | {"event_id": waiting.pop()}]
            if len(waiting) % 10 == 2:
                reports += [REPORT | {"event_id": waiting.pop()} for _ in range(2)]
            path, body = ("/api/report-errors", reports) if len(reports) > 1 else ("/api/report-error", reports[0])
            async with session.post(path, json=body) as response:
                assert response.status == 200, await response.text()

    async with aiohttp.ClientSession(url) as session:
        await asyncio.gather(*(client(session) for _ in range(concurrency)))


@needs_strace
async def test_every_answer_waits_for_the_flush_of_its_report(served: Callable[..., Served], tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    event_ids = {c: [f"disk-{c}-{number}-end" for number in range(POSTS)] for c in CONCURRENCY}
    with traced(served, trace) as service:
        for concurrency, ids in event_ids.items():
            await post_all(service.url, ids, concurrency)
    calls = parse(trace.read_text(errors="replace").splitlines())
    assert unflushed(calls, LOG, itertools.chain(*event_ids.values()), meta_bytes=LMDB_META_BYTES) == {}


@needs_strace
def test_the_folder_of_a_new_log_is_flushed_before_the_first_answer(
    served: Callable[..., Served], tmp_path: Path
) -> None:
    trace = tmp_path / "trace"
    with traced(served, trace) as service:
        service.post({})
    flushed = folder_flushed(parse(trace.read_text(errors="replace").splitlines()), LOG)
    assert flushed, "no fsync of the folder came between the making of the log and the first answer"
