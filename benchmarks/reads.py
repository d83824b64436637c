"""Measures how long reads take with many errors, how much memory and disk the service needs, and how long a start
takes.

    python benchmarks/reads.py [--errors 1000000] [--against N] [--rounds 7] [--folder FOLDER] [--json FILE] [--check]

The service runs as its users run it, on a copy of a database that `fill.py` makes. A read is *cold* if a report came
just before it, so that no kept answer can serve it, and *unchanged* if it is asked again at once. Each round asks every
read once. Times are milliseconds until the whole answer is there: of the first round after the start, medians, and the
10th and 90th percentile of the cold ones.

Then one reader reads, then ten at the same time, while reports arrive. Up to here memory is measured, the highest sum
over all processes; then disk, the sum of all files. Last, the service is stopped or killed and started again.

`--against` measures a second database, of N errors, and prints how much each result grows with the number of errors.
`--folder` keeps the databases of `fill.py` there and uses them again for twelve hours. With `--check`, exits with 1 and
names each result that misses its bar.
"""

import argparse
import asyncio
import itertools
import json
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import quote

import aiohttp
import msgspec
from fill import RETIRED, files, filled
from read_results import Parallel, Results, Times, growth, machine, misses, table
from serving import ROOT, Memory, Serving, reports, some

READ_SECONDS: Final = 100.0  # after which no more rounds begin, if there were `LEAST_ROUNDS`
LEAST_ROUNDS: Final = 3
READERS: Final = 10
READING_SECONDS: Final = 4.0  # of one measurement of parallel readers
RATES: Final = (1, 500)  # reports per second that arrive meanwhile
STARTS: Final = 3
WAL_BYTES: Final = 12_000_000  # of DuckDB before the service is killed; at 16 MB it makes a checkpoint
MOST_POSTED: Final = 30_000  # reports to fill that file with
POSTED_AT_ONCE: Final = 2_500
WORKER: Final = "worker=worker-0017"
THREE: Final = f"{WORKER}&severity=critical&type=OutOfMemoryError"
LIST: Final = "/api/errors/list?time_range=168"
FACETS: Final = "/api/errors/facets?time_range=168"
PARALLEL: Final = ("/api/errors?time_range=24", LIST, FACETS, "/api/patterns?time_range=24")


class Case(NamedTuple):
    """A read; `bar` is in ms, None where there is none."""

    name: str
    path: str
    bar: float | None


def cases(pattern_id: str) -> list[Case]:
    """Returns all reads that are measured. The pattern is one with many errors."""
    return [
        Case("overview, 1 h", "/api/errors?time_range=1", 80),
        Case("overview, 24 h", "/api/errors?time_range=24", 80),
        Case("overview, 168 h", "/api/errors?time_range=168", 150),
        Case("list", LIST, 150),
        Case("list, one worker", f"{LIST}&{WORKER}", 150),
        Case("list, three filters", f"{LIST}&{THREE}", 150),
        Case("list, group hardware", f"{LIST}&group=hardware", 150),
        Case("list, groups resource or recurring", f"{LIST}&group=resource&group=recurring", 150),
        Case("list, only old errors match", f"{LIST}&worker={RETIRED}", 150),
        Case("list, one pattern", f"{LIST}&pattern={pattern_id}", 150),
        Case("facets", FACETS, 150),
        Case("facets, one worker", f"{FACETS}&{WORKER}", 150),
        Case("facets, critical and cuda", f"{FACETS}&severity=critical&hardware=cuda", 150),
        Case("facets, text", f"{FACETS}&q=tries", 300),
        Case("patterns, 24 h", "/api/patterns?time_range=24", 150),
        Case("patterns, 168 h", "/api/patterns?time_range=168", 150),
        Case("one pattern", f"/api/patterns/{pattern_id}?time_range=168", 150),
        Case("search, frequent word", f"{LIST}&q=tries", 300),
        Case("search, word of tracebacks only", f"{LIST}&q=_wrapped_call_impl", 300),
        Case("search, no hit", f"{LIST}&q=nosuchword", 300),
        Case("search, digits of a frequent text", f"{LIST}&q={quote('after 3 tries')}", 300),
        Case("search, digits of no text", f"{LIST}&q={quote('after 7 tries')}", 300),
        Case("/metrics", "/metrics", None),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--errors", type=int, default=1_000_000)
    parser.add_argument("--against", type=int, help="a second number of errors")
    parser.add_argument("--rounds", type=int, default=7, help="of each read (default: 7)")
    parser.add_argument("--folder", type=Path, help="where databases are kept (default: a temporary folder)")
    parser.add_argument("--json", type=Path, help="a file to write all results to")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a result misses its bar")
    given = parser.parse_args()
    sizes = sorted({given.errors, given.against or given.errors})
    found: dict[int, Results] = {}
    with tempfile.TemporaryDirectory(dir=given.folder) as scratch:
        for size in sizes:
            filling = (given.folder or Path(scratch)) / f"reads-{size}.duckdb"
            note(filled(filling, size))
            found[size] = measured(filling, Path(scratch), size, given.rounds)
    print("\n\n".join((machine(), *(table(size, results) for size, results in found.items()), growth(found))))
    if given.json:
        given.json.write_bytes(msgspec.json.format(msgspec.json.encode({"machine": machine(), "results": found})))
    missed = list(misses(found, {case.name: case.bar for case in cases("") if case.bar}))
    print("\n".join(f"missed: {one}" for one in missed) or "no result misses its bar")
    return 1 if given.check and missed else 0


def measured(
    filling: Path,
    folder: Path,
    errors: int,
    rounds: int,
    *,
    rates: tuple[int, ...] = RATES,
    starts: int = STARTS,
    root: Path = ROOT,
) -> Results:
    """Returns all results with a copy of a database of so many errors. `root` is the checkout that is measured."""
    path = folder / "errors.duckdb"
    for file in files(path):
        file.unlink(missing_ok=True)
    shutil.copyfile(filling, path)
    source = reports()
    with Serving(path, root=root) as serving:
        with Memory(serving) as memory:
            times = read_times(serving, source, rounds)
            parallel = {rate: asyncio.run(parallel_times(serving, source, rate)) for rate in rates}
        disk = serving.disk() / errors
    if not starts:
        return Results(times, parallel, memory.highest / 1e6, disk)
    note("reads are measured, starts follow")
    ready, ready_killed = clean_start(path, starts, root), killed_start(path, source, starts, root)
    return Results(times, parallel, memory.highest / 1e6, disk, ready, ready_killed)


def read_times(serving: Serving, source: Iterator[dict[str, Any]], rounds: int) -> dict[str, Times]:
    """Asks every read once a round, cold and unchanged."""
    cold: dict[str, list[float]] = {}
    unchanged: dict[str, list[float]] = {}
    asked = cases(json.loads(serving.get("/api/patterns?time_range=24")[1])["data"]["patterns"][0]["pattern_id"])
    end = time.monotonic() + READ_SECONDS
    for number in range(rounds):
        if number >= LEAST_ROUNDS and time.monotonic() > end:
            note(f"{number} rounds took {READ_SECONDS:.0f} s, no more follow")
            break
        for case in asked:
            serving.post(some(source, 1))
            cold.setdefault(case.name, []).append(1000 * serving.get(case.path)[0])
            unchanged.setdefault(case.name, []).append(1000 * serving.get(case.path)[0])
    found = {}
    for name, times in cold.items():
        cuts = statistics.quantiles(times, n=10, method="inclusive")
        found[name] = Times(times[0], statistics.median(times), cuts[0], cuts[-1], statistics.median(unchanged[name]))
    return found


async def parallel_times(serving: Serving, source: Iterator[dict[str, Any]], rate: int) -> Parallel:
    """Reads with one reader, then with ten, each the reads of `PARALLEL` in turn, while so many reports a second
    arrive."""
    async with aiohttp.ClientSession(serving.url, connector=aiohttp.TCPConnector(limit=0)) as session:
        sending = asyncio.create_task(send(session, source, rate))
        try:
            one, ten = [await reading(session, many) for many in (1, READERS)]
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
    return Parallel(statistics.median(one), statistics.median(ten))


async def reading(session: aiohttp.ClientSession, readers: int) -> list[float]:
    """Returns the milliseconds of every read that so many readers make in `READING_SECONDS`."""
    times: list[float] = []
    end = time.perf_counter() + READING_SECONDS

    async def reader(number: int) -> None:
        for path in itertools.islice(itertools.cycle(PARALLEL), number, None):
            began = time.perf_counter()
            if began > end:
                return
            async with session.get(path) as response:
                await response.read()
                assert response.status == 200, path
            times.append(1000 * (time.perf_counter() - began))

    await asyncio.gather(*(reader(number) for number in range(readers)))
    return times


async def send(session: aiohttp.ClientSession, source: Iterator[dict[str, Any]], rate: int) -> None:
    """Sends so many reports a second, in at most ten requests, until it is cancelled."""
    requests = min(rate, 10)
    for number in itertools.count(1):
        due = time.perf_counter() + 1 / requests
        async with session.post("/api/report-errors", json=some(source, rate // requests)) as response:
            assert response.status == 200, number
        await asyncio.sleep(max(0.0, due - time.perf_counter()))


def clean_start(path: Path, starts: int, root: Path) -> float:
    """Returns the median of the seconds until the service is ready after a clean stop."""
    times = []
    for _ in range(starts):
        with Serving(path, root=root) as serving:
            times.append(serving.ready_seconds)
    return statistics.median(times)


def killed_start(path: Path, source: Iterator[dict[str, Any]], starts: int, root: Path) -> float:
    """The same after SIGKILL, with a write-ahead log of DuckDB that is nearly as large as it gets."""
    times = []
    for _ in range(starts):
        with Serving(path, root=root) as serving:
            for _ in range(MOST_POSTED // POSTED_AT_ONCE):
                for _ in range(POSTED_AT_ONCE // 500):
                    serving.post(some(source, 500))
                serving.get("/api/errors?time_range=1")  # waits until the database has the reports
                if serving.wal() > WAL_BYTES:
                    break
            serving.kill()
        with Serving(path, root=root) as serving:
            times.append(serving.ready_seconds)
    return statistics.median(times)


def note(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
