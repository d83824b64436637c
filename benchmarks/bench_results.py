"""The results of `bench.py`, and the ratios of them that must not fall."""

import statistics
from collections.abc import Iterator
from typing import Final

from bugsink import Digested
from figures import Spread, spread
from growth import ByClients, ByWorkers
from ingest import Found
from load_results import Load
from msgspec import Struct, field
from read_results import Results

MOST_LOST: Final = 0.2  # of a ratio, compared with the one that was accepted


class Closed(Struct, frozen=True):
    """Closed-loop ingest by side (bare, service, against): reports a second, then milliseconds."""

    rate: dict[str, Spread]
    p50: dict[str, Spread]
    p99: dict[str, Spread]
    ratio: dict[str, Spread]  # of the service's rate to that of the other side, by round
    failed: int


class Run(Struct):
    """Everything that one run measured; parts that were left out are empty or None. `seconds` is how long each took."""

    machine: str
    commit: str
    against: str | None
    single: Closed
    batch: Closed
    workers: dict[int, ByWorkers] = field(default_factory=dict)
    clients: dict[int, ByClients] = field(default_factory=dict)
    series: Load | None = None
    reads: dict[int, Results] = field(default_factory=dict)
    reads_against: Results | None = None  # with as many errors as the middle one of `reads`
    load: Load | None = None
    load_errors: int = 0
    bugsink: Digested | None = None
    seconds: dict[str, float] = field(default_factory=dict)


def closed(found: Found) -> Closed:
    columns = {
        name: {side: spread([getattr(one, name) for one in rounds]) for side, rounds in found.items()}
        for name in ("rate", "p50", "p99")
    }
    others = [side for side in found if side != "service"]
    ratio = {
        side: spread([one.rate / other.rate for one, other in zip(found["service"], found[side], strict=True)])
        for side in others
    }
    return Closed(**columns, ratio=ratio, failed=sum(one.failed for rounds in found.values() for one in rounds))


def guarded(run: Run) -> dict[str, float]:
    """Returns the ratios that must not fall: each is smaller when something became worse."""
    single, batch = run.single.rate["service"].median, run.batch.rate["service"].median
    found = {
        "single reports to the bare handler": run.single.ratio["bare"].median,
        "batches to single reports": batch / single,
    }
    if "against" in run.single.ratio:
        found["single reports to the other commit"] = run.single.ratio["against"].median
        found["batches to the other commit"] = run.batch.ratio["against"].median
    if len(run.workers) > 1:
        few, many = run.workers[min(run.workers)], run.workers[max(run.workers)]
        found["single reports of most workers to those of fewest"] = many.rate.median / few.rate.median
    if len(run.reads) > 1:
        found["reads of fewest errors to those of most"] = _speed(run.reads[min(run.reads)], run.reads[max(run.reads)])
    if run.reads_against is not None:
        found["reads of the other commit to these"] = _speed(run.reads_against, run.reads[sorted(run.reads)[1]])
    return found


def _speed(these: Results, those: Results) -> float:
    """Returns the median, over all reads, of the time of one result divided by that of the other."""
    both = these.times.keys() & those.times.keys()
    return statistics.median(these.times[name].cold / those.times[name].cold for name in both)


def fallen(ratios: dict[str, float], accepted: dict[str, float]) -> Iterator[str]:
    """Yields each ratio that is at least a fifth smaller than the accepted one. One that has no accepted value, or was
    not measured, cannot fall."""
    for name, value in ratios.items():
        before = accepted.get(name)
        if before is not None and value <= (1 - MOST_LOST) * before:
            yield f"{name}: {value:.2f}, {100 * (1 - value / before):.0f} % less than the accepted {before:.2f}"
