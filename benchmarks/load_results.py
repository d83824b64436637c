"""The results of `load.py`, as sentences and as slopes."""

from collections.abc import Iterator
from typing import Final

from figures import Line, Quantiles, line
from msgspec import Struct

MB: Final = 1e6
MEMORY_BAR: Final = 500.0  # MB of PSS
BARS: Final = (  # name, attribute, quantile, ms
    ("acknowledgement, p99", "ack", "p99", 25.0),
    ("acknowledgement, worst", "ack", "worst", 150.0),
    ("WebSocket, p99", "websocket", "p99", 50.0),
)
SCRAPE_BARS: Final = (60.0, 10.0)  # ms of a scrape; by how much it may delay an acknowledgement


class Window(Struct, frozen=True):
    """Latencies in ms of a part of the run; `at` is its middle, in seconds."""

    at: float
    ack: Quantiles
    websocket: Quantiles
    overview: Quantiles


class Sample(Struct, frozen=True):
    """Bytes `at` a time in seconds: of the memory by process, of the files by name."""

    at: float
    pss: dict[str, int]
    rss: dict[str, int]
    files: dict[str, int]


class Load(Struct, frozen=True, kw_only=True):
    """Latencies are in ms. `ack` counts from the time when a report was due, `ack_noticed` from when the load noticed
    that, which was `late`. `ack_in_scrape` are those during which /metrics was read. `generator_cpu` is in cores.
    `updates` are messages a second of the WebSocket clients that only listen; `closed` of them were disconnected by the
    service."""

    rate: float
    seconds: float
    answered: int
    failed: dict[str, int]  # answers other than 200, by what they said
    unanswered: int
    generator_cpu: float
    ack: Quantiles
    ack_noticed: Quantiles
    late: Quantiles
    ack_in_scrape: Quantiles
    ack_outside: Quantiles
    overview: Quantiles
    unchanged: int
    facets: Quantiles
    lists: Quantiles
    scrape: Quantiles
    series: int
    failed_reads: int
    websocket: Quantiles
    updates: float
    update_bytes: float
    closed: int
    windows: list[Window]
    samples: list[Sample]

    @property
    def memory(self) -> tuple[float, float]:
        """The highest PSS and RSS of all processes together, in MB."""
        pss = max((sum(one.pss.values()) for one in self.samples), default=0)
        rss = max((sum(one.rss.values()) for one in self.samples), default=0)
        return pss / MB, rss / MB


def rows(found: Load) -> list[tuple[str, Quantiles]]:
    """Returns every kind of latency that was measured, with its name."""
    all_ = [
        ("acknowledgement, from when the report was due", found.ack),
        ("acknowledgement, without the load's own delay", found.ack_noticed),
        ("the load's own delay", found.late),
        ("acknowledgement while /metrics was read", found.ack_in_scrape),
        ("acknowledgement at other times", found.ack_outside),
        ("WebSocket, from the receipt (includes the commit)", found.websocket),
        ("overview of a page", found.overview),
        ("facets of a page", found.facets),
        ("list of a page", found.lists),
        (f"/metrics, {found.series} series", found.scrape),
    ]
    return [(name, one) for name, one in all_ if one.count]


def lines(found: Load) -> Iterator[str]:
    """Yields the results as a table and sentences in Markdown."""
    failed = sum(found.failed.values())
    yield (
        f"{found.rate:.0f} reports a second for {found.seconds:.0f} s: {found.answered} answers, {failed} of them not "
        f"200, {found.unanswered} missing; the load took {found.generator_cpu:.2f} cores"
    )
    yield ""
    yield "| ms | number | p50 | p99 | p99.9 | worst |"
    yield "|---|--:|--:|--:|--:|--:|"
    for name, one in rows(found):
        yield f"| {name} | {one.count} | {one.p50:.1f} | {one.p99:.1f} | {one.p999:.1f} | {one.worst:.1f} |"
    yield ""
    if found.overview.count:
        yield f"- {found.unchanged} of {found.overview.count} overviews had no news; {found.failed_reads} reads failed"
    for words, many in found.failed.items():
        yield f"- {many} answers: `{words}`"
    if found.closed:
        yield f"- the service closed {found.closed} WebSocket clients"
    if not found.samples:
        return
    pss, rss = found.memory
    highest = max(found.samples, key=lambda one: sum(one.pss.values()))
    parts = ", ".join(f"{name} {size / MB:.0f}" for name, size in highest.pss.items())
    yield f"- memory, the highest of all processes together: {pss:.0f} MB PSS ({parts}), {rss:.0f} MB RSS"
    first, last = found.samples[0], found.samples[-1]
    for name in shown_files(found):
        size = last.files[name]
        yield f"- file {name}: {first.files.get(name, 0) / MB:.1f} MB at first, {size / MB:.1f} MB at the end"


def shown_files(found: Load) -> list[str]:
    """Returns the names of the files that ever have more than a megabyte."""
    return [name for name in found.samples[-1].files if max(one.files.get(name, 0) for one in found.samples) > MB]


def bars(found: Load) -> Iterator[str]:
    """Yields each bar of a load, what was measured, and whether that is within it."""
    for name, kind, quantile, bar in BARS:
        yield _bar(f"{name}, ms", getattr(getattr(found, kind), quantile), bar)
    yield _bar("memory of all processes (PSS), MB", found.memory[0], MEMORY_BAR)


def scrape_bars(found: Load) -> Iterator[str]:
    """Yields the bars of a load with scrapes of many series."""
    yield _bar(f"/metrics with {found.series} series, median, ms", found.scrape.p50, SCRAPE_BARS[0])
    slower = found.ack_in_scrape.p999 - found.ack_outside.p999
    yield _bar("p99.9 of acknowledgements during scrapes, less that of the others, ms", slower, SCRAPE_BARS[1])


def _bar(name: str, value: float, bar: float) -> str:
    return f"- {'kept' if value <= bar else '**missed**'}: {name}: {value:.1f}, the bar is {bar:g}"


def flat(found: Load, since: float) -> Iterator[str]:
    """Yields the slopes of memory, files and latencies, from the second `since` on."""
    samples = [one for one in found.samples if since <= one.at <= found.seconds]
    windows = [one for one in found.windows if since <= one.at]
    if min(len(samples), len(windows)) < 3:
        yield "too few values for slopes"
        return
    at = [one.at for one in samples]
    yield "| | mean | change in 10 minutes | of the mean |"
    yield "|---|--:|--:|--:|"
    for kind in ("pss", "rss"):
        values = [sum(getattr(one, kind).values()) / MB for one in samples]
        yield _slope(f"{kind.upper()} of all processes, MB", line(at, values))
    for name in shown_files(found):
        yield _slope(f"file {name}, MB", line(at, [one.files.get(name, 0) / MB for one in samples]))
    for kind in ("ack", "websocket", "overview"):
        for quantile in ("p50", "p99"):
            parts = [(one.at, getattr(getattr(one, kind), quantile)) for one in windows if getattr(one, kind).count]
            if len(parts) >= 3:
                yield _slope(f"{kind} {quantile}, ms", line(*zip(*parts, strict=True)))


def _slope(name: str, found: Line) -> str:
    change, error = 600 * found.slope, 600 * found.error
    share = 100 * change / found.mean if found.mean else 0.0
    return f"| {name} | {found.mean:.1f} | {change:+.2f} ± {error:.2f} | {share:+.1f} % |"
