"""Measures everything that is compared from change to change, in at most 15 minutes: `make bench`.

    python benchmarks/bench.py [--against COMMIT] [--minutes 15] [--bugsink] [--accept] [--quick] [--folder FOLDER]

In this order: ingest in a closed loop beside a bare handler and the service of another commit (the newest release,
unless `--against` names a commit); 10 to 10,000 workers; 1 to 1,000 WebSocket clients; /metrics with 10,000 series;
reads of 100,000, 1,000,000 and 10,000,000 errors; then, with the last of these databases, an open-loop load with open
pages and scrapes for five minutes, or what is left of the time. `--bugsink` adds Bugsink, which takes two minutes more.

The results go to `docs/performance/bench.json` and into `docs/performance.md`. Ratios are compared with those of
`benchmarks/baseline.json`: if one fell by 20 % or more, this exits with 1 and names it; `--accept` writes the new ones
there. `--quick` is for trying it out: little data, a few seconds each, nothing is written but to `--json`.
"""

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import bugsink
import msgspec
from bench_results import Run, closed, fallen, guarded
from checkout import checkout, latest_release, this_commit
from document import FOLDER, bench_part, bench_plots, write
from fill import filled
from growth import CLIENTS, WORKERS, by_clients, by_workers, with_series
from ingest import compared
from load import Options, under_load
from load_results import Load
from read_results import Results, machine
from reads import measured
from serving import ROOT, Serving, retention

BASELINE: Final = ROOT / "benchmarks/baseline.json"
GRACE: Final = 60.0  # seconds beyond the limit, after which the run is ended
LEAST_LOAD: Final = 30.0  # seconds of the open-loop load, even if the time is over
AFTER_LOAD: Final = 15.0  # seconds that end a run
WORKERS_RATE: Final = 1_000.0  # reports a second
CONNECTIONS: Final = 64
BATCH: Final = 100
RETENTION: Final = "160h"  # of 167 h that the database has, so that it has much to delete


class Size(NamedTuple):
    """How much is measured. Durations are in seconds."""

    rounds: int = 5
    ingest: int = 3
    growth: int = 6
    errors: tuple[int, ...] = (100_000, 1_000_000, 10_000_000)
    read_rounds: int = 5
    load: float = 300.0
    pages: int = 5
    bugsink: float = 20.0


QUICK: Final = Size(
    rounds=2, ingest=1, growth=3, errors=(10_000, 20_000, 40_000), read_rounds=3, load=15.0, bugsink=5.0
)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--against", help="a commit, or the folder of a checkout (default: the newest release)")
    parser.add_argument("--minutes", type=float, default=15, help="that it may take (default: %(default)s)")
    parser.add_argument("--bugsink", action="store_true", help="measure Bugsink, too; it is installed from PyPI")
    parser.add_argument("--accept", action="store_true", help="write the ratios to baseline.json")
    parser.add_argument("--quick", action="store_true", help="little data; no document is written")
    parser.add_argument("--folder", type=Path, help="where databases are made and kept (default: a temporary folder)")
    parser.add_argument(
        "--json", type=Path, default=FOLDER / "bench.json", help="for the results (default: %(default)s)"
    )
    given = parser.parse_args(arguments)
    size = QUICK if given.quick else Size()
    end = time.monotonic() + 60 * given.minutes
    with _limit(60 * given.minutes + GRACE + (180 if given.bugsink else 0)):
        run = _measured(size, given.against or latest_release(), end, given.folder, with_bugsink=given.bugsink)
    given.json.parent.mkdir(exist_ok=True)
    given.json.write_bytes(msgspec.json.format(msgspec.json.encode(run)) + b"\n")
    accepted = msgspec.json.decode(BASELINE.read_bytes(), type=dict[str, float]) if BASELINE.exists() else {}
    lost = list(fallen(guarded(run), accepted))
    if given.accept:
        accepted |= guarded(run)
        BASELINE.write_bytes(msgspec.json.format(msgspec.json.encode(accepted)) + b"\n")
    part = bench_part(run, accepted)
    print(part)
    if not given.quick:
        write("bench", part, bench_plots(run))
    print("\n".join(f"fallen: {one}" for one in lost) or "no ratio fell")
    return 1 if lost and not given.accept else 0


def _measured(size: Size, against: str | None, end: float, kept: Path | None, *, with_bugsink: bool) -> Run:
    seconds: dict[str, float] = {}
    with checkout(against) as other, tempfile.TemporaryDirectory(dir=kept) as name:
        scratch = Path(name)
        with _timed("ingest", seconds):
            single, batch = (
                closed(compared(size.rounds, size.ingest, CONNECTIONS, reports, other)) for reports in (1, BATCH)
            )
        run = Run(machine(), this_commit(), against, single, batch, seconds=seconds)
        if with_bugsink:
            with _timed("Bugsink", seconds):
                began = time.monotonic()
                run.bugsink = bugsink.measured(size.bugsink)
            end += time.monotonic() - began
        with _timed("workers", seconds):
            run.workers = {many: by_workers(many, WORKERS_RATE, size.growth) for many in WORKERS}
        with _timed("WebSocket clients", seconds):
            run.clients = {many: by_clients(many, size.growth) for many in CLIENTS}
        half = single.rate["service"].median / 2
        with _timed("series", seconds):
            run.series = with_series(half, 2 * size.growth)
        for errors in size.errors:
            with _timed(f"reads of {errors} errors", seconds):
                filling = (kept or scratch) / f"reads-{errors}.duckdb"
                print(filled(filling, errors), flush=True)
                starts = int(errors == size.errors[-1])
                run.reads[errors] = measured(filling, scratch, errors, size.read_rounds, rates=(500,), starts=starts)
            if other and errors == size.errors[1]:
                with _timed("reads of the other commit", seconds):
                    run.reads_against = _other_reads(other, scratch, errors, size.read_rounds)
        with _timed("open-loop load", seconds):
            run.load_errors = size.errors[-1]
            left = end - AFTER_LOAD - time.monotonic()
            run.load = _loaded(filling, half, max(LEAST_LOAD, min(size.load, left)), size.pages)
    return run


def _other_reads(other: Path, scratch: Path, errors: int, rounds: int) -> Results:
    """Reads of another commit, with a database that its own `fill.py` makes, because the schema may differ."""
    folder = scratch / "other"
    folder.mkdir()
    path = folder / "filled.duckdb"
    subprocess.run(
        [sys.executable, "benchmarks/fill.py", "--errors", str(errors), str(path)], cwd=other, check=True, timeout=300,
        env=os.environ | {"PYTHONPATH": str(other)},
    )  # fmt: skip
    return measured(path, folder, errors, rounds, rates=(500,), starts=0, root=other)


def _loaded(filling: Path, rate: float, seconds: float, pages: int) -> Load:
    options = Options(rate, seconds, pages=pages, scrape_every=5.0)
    with Serving(filling, *retention(RETENTION)) as serving:
        return under_load(serving, options)


@contextlib.contextmanager
def _timed(name: str, seconds: dict[str, float]) -> Iterator[None]:
    print(f"{name} …", flush=True)
    began = time.monotonic()
    yield
    seconds[name] = round(time.monotonic() - began, 1)
    print(f"{name}: {seconds[name]:.0f} s", flush=True)


@contextlib.contextmanager
def _limit(seconds: float) -> Iterator[None]:
    """Raises `TimeoutError` in what runs longer, and `SystemExit` on SIGTERM, so that what it started is stopped."""

    def end(*_: object) -> None:
        raise TimeoutError(f"the run took more than {seconds:.0f} s")

    signal.signal(signal.SIGALRM, end)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    signal.alarm(int(seconds))
    try:
        yield
    finally:
        signal.alarm(0)


if __name__ == "__main__":
    sys.exit(main())
