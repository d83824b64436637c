"""Compares the service with a bare aiohttp handler that parses the same bodies and stores nothing.

    python benchmarks/ingest.py [--seconds 4] [--rounds 9] [--connections 64] [--batch 100] [--against COMMIT]

`--batch` is the number of reports per request; rates are always in reports per second. `--against` is another commit,
or the folder of a checkout of it, which is measured, too; the ratio of this checkout's rate to its rate is printed.

All servers run on this machine, each in its own process with uvloop. They are measured in turns, with the same bodies
(the errors of the demo) over the same number of connections, by wrk. The output has medians. The bare handler decodes
with msgspec, the fastest decoder; with `--json` it uses the standard library.
"""

import argparse
import contextlib
import os
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from bodies import encoded, sample
from checkout import checkout
from closed_loop import Round, Side, bare, script, service, wrk

BODIES: Final = 20_000  # so many that the service's caches do not hold all of them
HALF_ROUNDS: Final = 3
HALF_SECONDS: Final = 4
Found = dict[str, list[Round]]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--least", type=float, default=0.4, help="fail below this median ratio to bare (default: 0.4)")
    parser.add_argument("--batch", type=int, default=1, help="reports in one request (default: 1)")
    parser.add_argument("--against", help="a commit, or the folder of a checkout, to compare with this checkout")
    parser.add_argument("--json", action="store_true", help="the bare handler decodes with the standard library")
    given = parser.parse_args()
    with checkout(given.against) as other:
        found = compared(
            given.rounds, given.seconds, given.connections, given.batch, other, "json" if given.json else "msgspec"
        )
    print(f"\nmedians of {given.rounds} rounds, {given.connections} connections, {os.cpu_count()} cores")
    for name, rounds in found.items():
        rate, p50, p99, memory, _, cpu = (statistics.median(column) for column in zip(*rounds, strict=True))
        print(
            f"{name:8} {rate:8.0f}/s  p50 {p50:6.2f} ms  p99 {p99:6.2f} ms  peak memory {memory:5.0f} MiB  "
            f"CPU {cpu:5.1f} µs a report"
        )
    for name in [name for name in found if name != "service"]:
        each = ratios(found, name)
        print(f"ratio to {name}: {statistics.median(each):.2f} (rounds: {', '.join(f'{one:.2f}' for one in each)})")
    failed = sum(one.failed for rounds in found.values() for one in rounds)
    print(f"failed requests: {failed}")
    return 1 if failed or statistics.median(ratios(found, "bare")) < given.least else 0


def compared(
    rounds: int, seconds: int, connections: int, batch: int, against: Path | None = None, decoder: str = "msgspec"
) -> Found:
    """Measures the bare handler, the service and the service of another checkout, in turns."""
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        file = script(folder, "reports", encoded(sample(BODIES), batch))
        sides: dict[str, Side] = {
            "bare": stack.enter_context(bare(decoder)),
            "service": stack.enter_context(service(folder / "errors.duckdb")),
        }
        if against:
            sides["against"] = stack.enter_context(service(folder / "against.duckdb", against))
        return _turns(sides, rounds, lambda side: wrk(side, file, seconds, connections, batch=batch))


def _turns(sides: dict[str, Side], rounds: int, measure: Callable[[Side], Round]) -> Found:
    found: Found = {name: [] for name in sides}
    for number in range(rounds):
        for name in sorted(sides, reverse=bool(number % 2)):
            one = measure(sides[name])
            found[name].append(one)
            print(f"{name:8} {one.rate:8.0f}/s  p50 {one.p50:6.2f} ms  p99 {one.p99:6.2f} ms", flush=True)
    return found


def ratios(found: Found, other: str) -> list[float]:
    """Returns, for each round, the service's rate divided by that of the side `other`."""
    return [service.rate / one.rate for service, one in zip(found["service"], found[other], strict=True)]


def half_rate() -> float:
    """Returns half of the rate of single reports that the service reaches, in reports a second."""
    with tempfile.TemporaryDirectory() as name, service(Path(name, "errors.duckdb")) as side:
        file = script(Path(name), "reports", encoded(sample(BODIES)))
        rates = [wrk(side, file, HALF_SECONDS, 64).rate for _ in range(HALF_ROUNDS)]
    return statistics.median(rates) / 2


if __name__ == "__main__":
    sys.exit(main())
