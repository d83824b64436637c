"""The results of `reads.py`: tables in Markdown, growth, and what misses its bar."""

import datetime as dt
import os
import platform
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import psutil
from msgspec import Struct
from serving import HAS_PSS

from exporter import __version__

GROWTH: Final = 2.0  # bar: how much more a result may be with the greater number of errors
NOISE: Final = 25.0  # ms: a read that takes less may grow by any factor
BARS: Final = {
    "memory, MB": 500, "disk, bytes an error": 150, "ready after a clean stop, s": 2, "ready after SIGKILL, s": 4,
}  # fmt: skip
MANY: Final = 5_000_000  # errors; with fewer, what the log keeps for readers is most of the disk
MANY_ONLY: Final = ("disk, bytes an error",)


class Times(Struct):
    """Milliseconds of a read: the first one, then medians and percentiles."""

    first: float
    cold: float
    p10: float
    p90: float
    unchanged: float


class Parallel(Struct):
    """Medians in milliseconds of a read when one reader reads, and when ten do."""

    one: float
    ten: float


class Results(Struct):
    """Results with one number of errors. `memory` is in MB, `disk` in bytes an error; starts are in seconds, None if
    they were not measured."""

    times: dict[str, Times]
    parallel: dict[int, Parallel]  # by the reports a second that arrive
    memory: float
    disk: float
    ready: float | None = None  # after a clean stop
    ready_killed: float | None = None

    def numbers(self) -> dict[str, float]:
        """Returns what must not grow much with the number of errors."""
        reads = {f"{name}, ms": one.cold for name, one in self.times.items()}
        found = reads | {"memory, MB": self.memory, "disk, bytes an error": self.disk}
        if self.ready is not None:
            found["ready after a clean stop, s"] = self.ready
        if self.ready_killed is not None:
            found["ready after SIGKILL, s"] = self.ready_killed
        return found


def machine() -> str:
    """Returns one sentence on what was measured where."""
    memory = psutil.virtual_memory().total / 1e9
    return (
        f"{dt.datetime.now(dt.UTC):%Y-%m-%d}, version {__version__}, Python {platform.python_version()}, "
        f"{os.cpu_count()} cores of {_processor()}, {memory:.0f} GB of memory; load {os.getloadavg()[2]:.1f}"
    )


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    names = re.findall(r"model name\s*: (.*)", info.read_text()) if info.exists() else []
    return names[0] if names else platform.machine()


def table(errors: int, found: Results) -> str:
    """Returns the results as tables in Markdown."""
    lines = [
        f"### {errors:,} errors", "",
        "| Read, ms | first | cold | p10 to p90 | unchanged |", "|---|--:|--:|--:|--:|",
        *(f"| {name} | {one.first:.0f} | {one.cold:.0f} | {one.p10:.0f} to {one.p90:.0f} | {one.unchanged:.1f} |"
          for name, one in found.times.items()), "",
        "| Reports a second | one reader, ms | ten readers, ms | ratio |", "|---|--:|--:|--:|",
        *(f"| {rate} | {one.one:.1f} | {one.ten:.1f} | {one.ten / one.one:.1f} |"
          for rate, one in found.parallel.items()), "",
        f"- memory ({'PSS' if HAS_PSS else 'RSS'} of all processes, the highest): {found.memory:.0f} MB",
        f"- disk (database, its write-ahead log, log): {found.disk:.0f} bytes an error",
    ]  # fmt: skip
    if found.ready is not None and found.ready_killed is not None:
        lines.append(f"- ready in {found.ready:.2f} s after a clean stop, in {found.ready_killed:.2f} s after SIGKILL")
    return "\n".join(lines)


def growth(found: dict[int, Results]) -> str:
    """Returns how much each result grows from the smaller number of errors to the greater, as a table; "" if there is
    only one number."""
    if len(found) == 1:
        return ""
    (few, small), (many, large) = found.items()
    before = small.numbers()
    lines = [f"### From {few:,} to {many:,} errors", "", f"| | {few:,} | {many:,} | ratio |", "|---|--:|--:|--:|"]
    for name, value in large.numbers().items():
        if name not in before:
            continue
        lines.append(f"| {name} | {shown(before[name])} | {shown(value)} | {value / before[name]:.2f} |")
    return "\n".join(lines)


def shown(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def misses(found: dict[int, Results], read_bars: dict[str, float]) -> Iterator[str]:
    """Yields each result that misses its bar. `read_bars` are in ms. Growth is that from the last but one number of
    errors to the last."""
    bars = {f"{name}, ms": bar for name, bar in read_bars.items()} | BARS
    for errors, results in found.items():
        for name, value in results.numbers().items():
            is_due = errors >= MANY or name not in MANY_ONLY
            if is_due and value > bars.get(name, value):
                yield f"{errors:,} errors: {name}: {shown(value)}, the bar is {bars[name]:g}"
    if len(found) > 1:
        *_, before, after = (results.numbers() for results in found.values())
        for name, value in after.items():
            if name in before and value > max(GROWTH * before[name], NOISE if name.endswith("ms") else 0.0):
                yield f"{name}: {shown(value)} is {value / before[name]:.2f} times as much, the bar is {GROWTH:g}"
