"""Measures how well messages are grouped into patterns, and what that costs.

    python benchmarks/patterns.py [--loghub FOLDER]

Prints two scores for labelled sets of messages, once after masking and once with families. GA, the grouping accuracy,
is the share of messages whose pattern has exactly the messages of one true pattern. FGA is the harmonic mean of two
shares: of true patterns that were found exactly, and of found patterns that are exact.

The sets are the Loghub samples (`line,event_id,content`) in `FOLDER`, else in the folder named by the variable LOGHUB,
else in ../shared/loghub; they are left out if there are none. Their lines have no error type, so each sample is one
scope. Our own set, `tests/fixtures/patterns/domain.csv`, has types and tracebacks.

Then it prints the cost of a message in process time, without caches and with those of a process that has just started,
and the greatest cost of inputs of 4,000 characters that are made to be costly.
"""

import argparse
import csv
import os
import random
import statistics
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from exporter.patterns.families import families
from exporter.patterns.fingerprint import fingerprint
from exporter.patterns.mask import mask

ROOT = Path(__file__).parent.parent
OWN = ROOT / "tests/fixtures/patterns/domain.csv"
LONGEST = 4_000  # characters of the costly inputs
REPEATS = 3  # of each measurement of a time; the least counts
PARTS = [  # repeated, they are costly inputs
    "1", "a", "A", "é€", "\ud800", "\0", "\x1b[", " ", "\n ", ".", "-", "/", '"', "'", "[", "{", "(", "<", ":", "@",
    "=", "a1", "1.", "1-", "_1", "a:", "::1", "12:34:", "/a", "C:\\", "a@", "a.b@c.", "a=", "(a", "[1, ", "(1, 2, ",
    "<a>", "<*>, ", "2026-01-", "Jan 1 ", "1 GiB ", "1m2", "nan inf ", "http://", "QUJD+/", "HTTP ", "status:",
    "error code ", "exit code: ", "Xid (PCI:", "CUDA error: ", "signal SIG", "Traceback (most recent call last)\n",
    "\tat a.b(", '  File "a", line 1',
]  # fmt: skip
MEASURED = 2_000  # messages whose cost is measured


class Line(NamedTuple):
    """A labelled message."""

    event: str
    type: str
    content: str
    traceback: str


class Score(NamedTuple):
    """GA and FGA, with the numbers of true, found and exact patterns."""

    accuracy: float
    f1: float
    true: int
    found: int
    exact: int


FUNCTIONS: dict[str, Callable[[Line], object]] = {
    "mask": lambda line: mask(line.content),
    "mask and fingerprint": lambda line: fingerprint(line.type, line.content, line.traceback or None),
}


def score(truth: Sequence[str], found: Sequence[str]) -> Score:
    """Returns the scores of the patterns `found` of messages, whose true patterns are `truth`."""
    sizes, true_sizes = Counter(found), Counter(truth)
    together = Counter(zip(truth, found, strict=True))
    exact = [event for (event, pattern), n in together.items() if n == sizes[pattern] == true_sizes[event]]
    f1 = 2 * len(exact) / (len(sizes) + len(true_sizes)) if truth else 1.0
    accuracy = sum(true_sizes[event] for event in exact) / len(truth) if truth else 1.0
    return Score(accuracy, f1, len(true_sizes), len(sizes), len(exact))


def read(path: Path) -> list[Line]:
    """Returns the lines of a labelled set."""
    with path.open(newline="", encoding="utf-8") as file:
        return [
            Line(row["event_id"], row.get("type") or "", row["content"], row.get("traceback") or "")
            for row in csv.DictReader(file)
        ]


def with_families(scopes: Sequence[str], templates: Sequence[str]) -> list[str]:
    """Returns for each template, which was seen in a scope, the id of its pattern, as the service gives it."""
    by_scope = defaultdict(set)
    for scope, template in zip(scopes, templates, strict=True):
        by_scope[scope].add(template)
    found = {scope: families(seen) for scope, seen in by_scope.items()}
    ids = []
    for scope, template in zip(scopes, templates, strict=True):
        family = found[scope].get(template)
        ids.append(f"{scope}\0{family.template if family else template}\0{family is not None}")
    return ids


def loghub_scores(path: Path) -> tuple[Score, Score]:
    """Returns the scores of a Loghub sample after masking and with families."""
    lines = read(path)
    truth = [line.event for line in lines]
    masked = [mask(line.content) for line in lines]
    return score(truth, masked), score(truth, with_families([""] * len(lines), masked))


def own_scores(path: Path = OWN) -> tuple[Score, Score]:
    """Returns the scores of our own set by fingerprint and with families."""
    lines = read(path)
    truth = [line.event for line in lines]
    patterns = [fingerprint(line.type, line.content, line.traceback or None) for line in lines]
    ids = with_families([pattern.scope for pattern in patterns], [pattern.text for pattern in patterns])
    return score(truth, [pattern.fingerprint for pattern in patterns]), score(truth, ids)


def costly() -> list[str]:
    """Returns inputs of `LONGEST` characters that are costly for expressions which backtrack."""
    return [(part * LONGEST)[: LONGEST - len(end)] + end for part in PARTS for end in ("", "!")]


def clear_caches() -> None:
    """Clears the caches of all functions of the package."""
    for name, module in list(sys.modules.items()):
        if name.startswith("exporter.patterns."):
            for value in vars(module).values():
                if hasattr(value, "cache_clear"):
                    value.cache_clear()


def cost(function: Callable[[], object]) -> float:
    """Returns the process time of a call in µs without caches, the least of some repetitions."""
    times = []
    for _ in range(REPEATS):
        clear_caches()
        began = time.process_time_ns()
        function()
        times.append(time.process_time_ns() - began)
    return min(times) / 1_000


def cost_of_new(function: Callable[[Line], object], lines: Sequence[Line]) -> float:
    """Returns the mean process time in µs of each different message once, in a random order, by a process that
    has seen none of them: messages that are alike but for their digits profit from the cache."""
    different = random.Random(1).sample(sorted(set(lines)), len(set(lines)))
    return cost(lambda: [function(line) for line in different]) / len(different)


def costs(function: Callable[[Line], object], lines: Sequence[Line]) -> tuple[float, float]:
    """Returns the median and the mean process time of a message in µs, without caches, for a part of the lines."""
    times = [cost(partial(function, line)) for line in lines[:: max(len(lines) // MEASURED, 1)]]
    return statistics.median(times), statistics.mean(times)


def table(rows: Iterable[tuple[str, tuple[Score, Score]]]) -> list[tuple[Score, Score]]:
    """Prints a row for each set, and returns the scores."""
    scores = []
    for name, (masked, joined) in rows:
        scores.append((masked, joined))
        print(
            f"{name:<14}{masked.accuracy:>8.3f}{masked.f1:>8.3f}{joined.accuracy:>10.3f}{joined.f1:>8.3f}"
            f"{joined.true:>8}{joined.found:>8}{joined.exact:>8}"
        )
    return scores


def folder(given: Path | None) -> Path:
    """Returns the folder of the Loghub samples, whether or not it exists."""
    return given or Path(os.environ.get("LOGHUB") or ROOT.parent / "shared/loghub")


def print_scores(loghub: Path) -> list[Line]:
    """Prints the scores of all sets, and returns their lines."""
    print(f"{'':<14}{'after masking':>16}{'with families':>18}{'patterns':>24}")
    print(f"{'set':<14}{'GA':>8}{'FGA':>8}{'GA':>10}{'FGA':>8}{'true':>8}{'found':>8}{'exact':>8}")
    paths = sorted(loghub.glob("*.csv"))
    if paths:
        scores = table((path.stem, loghub_scores(path)) for path in paths)
        masked, joined = ([statistics.mean(pair[which][at] for pair in scores) for at in (0, 1)] for which in (0, 1))
        print(f"{'mean':<14}{masked[0]:>8.3f}{masked[1]:>8.3f}{joined[0]:>10.3f}{joined[1]:>8.3f}")
    else:
        print(
            f"the Loghub samples are left out: {loghub} has none; name their folder by --loghub or the variable LOGHUB"
        )
    if OWN.exists():
        table([("our own", own_scores())])
        paths.append(OWN)
    return [line for path in paths for line in read(path)]


def main() -> None:
    """Prints scores and costs."""
    parser = argparse.ArgumentParser(description="Measures the grouping of messages into patterns.")
    parser.add_argument("--loghub", type=Path, help="folder of the Loghub samples")
    lines = print_scores(folder(parser.parse_args().loghub))
    if lines:
        print("\ncost of a message: without caches, and of each different message once")
        for what, function in FUNCTIONS.items():
            new = cost_of_new(function, lines)
            print("  {:<21}{:8.1f} µs (median){:8.1f} µs (mean){:8.1f} µs".format(what, *costs(function, lines), new))
    print(f"\ngreatest cost of {LONGEST} characters:")
    inputs = [Line("", "Error", text, "") for text in costly()]
    for what, function in FUNCTIONS.items():
        worst, text = max((cost(partial(function, line)), line.content) for line in inputs)
        print(f"  {what:<21}{worst / 1_000:8.2f} ms ({text[:20]!a}…)")


if __name__ == "__main__":
    main()
