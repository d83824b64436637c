"""Writes results into `docs/performance.md`: each generated part stands between two comments with its name."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from bench_results import Run, guarded
from figures import Spread
from load_results import Load, bars, flat, lines, scrape_bars
from plot import Axis, bar_chart, plot, shown
from read_results import growth, misses, table
from reads import cases
from serving import ROOT

DOCUMENT: Final = ROOT / "docs/performance.md"
FOLDER: Final = ROOT / "docs/performance"  # of plots and of the results as JSON
SINGLE_BAR: Final = 0.5  # of the rate of the bare handler
BATCH_BAR: Final = 3.0  # times the rate of single reports
_SIDES: Final = {"bare": "bare handler", "service": "this service", "against": "other commit"}


def replaced(text: str, part: str, content: str) -> str:
    """Returns the document with new content in a generated part. Raises `ValueError` if it does not have this part."""
    begin, end = f"<!-- {part}: begin -->", f"<!-- {part}: end -->"
    found = re.compile(f"({re.escape(begin)}\n).*?({re.escape(end)})", re.DOTALL)
    if len(found.findall(text)) != 1:
        raise ValueError(f"expected {begin} and {end} once")
    return found.sub(lambda match: f"{match[1]}\n{content.strip()}\n\n{match[2]}", text)


def write(part: str, content: str, plots: dict[str, str], document: Path = DOCUMENT, folder: Path = FOLDER) -> None:
    """Writes a generated part and its plots."""
    folder.mkdir(exist_ok=True)
    for name, svg in plots.items():
        (folder / f"{name}.svg").write_text(svg, "utf-8")
    document.write_text(replaced(document.read_text("utf-8"), part, content), "utf-8")


def bench_part(run: Run, accepted: dict[str, float]) -> str:
    """Returns the results of `make bench` in Markdown."""
    return "\n\n".join("\n".join(section) for section in _sections(run, accepted))


def _sections(run: Run, accepted: dict[str, float]) -> Iterator[list[str]]:
    against = f", compared with `{run.against}`" if run.against else ""
    yield [f"Of {run.machine}; commit `{run.commit}`{against}. {sum(run.seconds.values()) / 60:.0f} minutes in all."]
    yield ["### Ratios that must not fall", "", *_ratios(run, accepted)]
    yield ["### Ingest, closed loop", "", "![Rates of ingest](performance/ingest.svg)", "", *_ingest(run)]
    if run.load:
        yield [f"### Open loop, {run.load_errors:,} errors stored", "", "![Latencies](performance/latency.svg)", "",
               *lines(run.load), *bars(run.load)]  # fmt: skip
    if run.series:
        yield [
            f"### /metrics once a second, {run.series.series} series",
            "",
            *lines(run.series),
            *scrape_bars(run.series),
        ]
    if run.workers:
        yield ["### More workers", "", "![Workers](performance/workers.svg)", "", *_workers(run)]
    if run.clients:
        yield ["### More WebSocket clients", "", "![Clients](performance/clients.svg)", "", *_clients(run)]
    if run.reads:
        yield ["### More errors", "", "![Reads](performance/reads.svg)", "", *_reads(run)]
    for errors, results in run.reads.items():
        yield [table(errors, results)]
    if len(run.reads) > 1:
        yield [growth({errors: run.reads[errors] for errors in sorted(run.reads)[-2:]})]


def _ratios(run: Run, accepted: dict[str, float]) -> Iterator[str]:
    yield "| Ratio | this run | accepted |"
    yield "|---|--:|--:|"
    for name, value in guarded(run).items():
        yield f"| {name} | {value:.2f} | {f'{accepted[name]:.2f}' if name in accepted else 'none'} |"


def _ingest(run: Run) -> Iterator[str]:
    yield "| Reports a second, median (least to most) | single reports | batches of 100 |"
    yield "|---|--:|--:|"
    for side in run.single.rate:
        yield f"| {_SIDES[side]} | {_spread(run.single.rate[side])} | {_spread(run.batch.rate[side])} |"
    if run.bugsink:
        yield f"| Bugsink 2.6.1, accepted and digested | {shown(run.bugsink.digested)} | |"
    yield ""
    for name, side in _SIDES.items():
        if name in run.single.p50:
            p50, p99 = run.single.p50[name].median, run.single.p99[name].median
            yield f"- single reports, {side}: p50 {p50:.1f} ms, p99 {p99:.1f} ms"
    single, batch = run.single.rate["service"].median, run.batch.rate["service"].median
    yield _least("rate of single reports, of the bare handler's", run.single.ratio["bare"].median, SINGLE_BAR)
    yield _least("rate of batches of 100, of that of single reports", batch / single, BATCH_BAR)


def _least(name: str, value: float, bar: float) -> str:
    return f"- {'kept' if value >= bar else '**missed**'}: {name}: {value:.2f}, the bar is {bar:g}"


def _workers(run: Run) -> Iterator[str]:
    yield "| Workers | single reports a second | ack p50, ms | ack p99, ms | overview, ms | /metrics, ms | memory, MB |"
    yield "|--:|--:|--:|--:|--:|--:|--:|"
    for many, one in run.workers.items():
        yield (f"| {many:,} | {_spread(one.rate)} | {one.ack.p50:.1f} | {one.ack.p99:.1f} | {_spread(one.overview)} | "
               f"{_spread(one.scrape)} | {one.memory:.0f} |")  # fmt: skip


def _clients(run: Run) -> Iterator[str]:
    yield "| Clients | messages a second | MB a second | ack p50, ms | ack p99, ms | update p50, ms | update p99, ms |"
    yield "|--:|--:|--:|--:|--:|--:|--:|"
    for many, one in run.clients.items():
        yield (f"| {many:,} | {one.messages:.0f} | {one.megabytes:.1f} | {one.ack.p50:.1f} | {one.ack.p99:.1f} | "
               f"{one.websocket.p50:.1f} | {one.websocket.p99:.1f} |")  # fmt: skip


def _reads(run: Run) -> Iterator[str]:
    read_bars = {case.name: case.bar for case in cases("") if case.bar}
    missed = [f"- **missed**: {one}" for one in misses(run.reads, read_bars)]
    yield from missed or ["- every read, memory, disk and start keeps its bar"]


def _spread(found: Spread) -> str:
    return f"{shown(found.median)} ({shown(found.least)} to {shown(found.most)})"


def bench_plots(run: Run) -> dict[str, str]:
    """Returns the plots of `make bench`, by the name of their file."""
    rates = {f"{_SIDES[side]}, single": one.median for side, one in run.single.rate.items()}
    rates |= {f"{_SIDES[side]}, batches of 100": one.median for side, one in run.batch.rate.items()}
    if run.bugsink:
        rates["Bugsink 2.6.1, digested"] = run.bugsink.digested
    found = {"ingest": bar_chart("Reports a second, closed loop, 64 connections", "/s", rates)}
    if run.load:
        found["latency"] = latency_plot(run.load)
    if run.workers:
        x, lines_ = Axis("workers", is_log=True), {
            "acknowledgement, p99": [(many, one.ack.p99) for many, one in run.workers.items()],
            "overview": [(many, one.overview.median) for many, one in run.workers.items()],
            "/metrics": [(many, one.scrape.median) for many, one in run.workers.items()],
        }  # fmt: skip
        found["workers"] = plot("More workers", x, Axis("ms", is_log=True), lines_)
    if run.clients:
        x, lines_ = Axis("WebSocket clients", is_log=True), {
            "acknowledgement, p99": [(many, one.ack.p99) for many, one in run.clients.items()],
            "update, p99": [(many, one.websocket.p99) for many, one in run.clients.items()],
            "update, median": [(many, one.websocket.p50) for many, one in run.clients.items()],
        }  # fmt: skip
        found["clients"] = plot("More WebSocket clients, 100 reports a second", x, Axis("ms", is_log=True), lines_)
    if run.reads:
        shown_ = (
            "overview, 24 h",
            "list",
            "facets",
            "patterns, 24 h",
            "search, digits of no text",
            "facets, one worker",
        )
        lines_ = {name: [(errors, one.times[name].cold) for errors, one in run.reads.items()] for name in shown_}
        found["reads"] = plot("More errors", Axis("errors stored", is_log=True), Axis("ms"), lines_)
    return found


def latency_plot(load: Load) -> str:
    lines_ = {
        "ack, p50": [(one.at, one.ack.p50) for one in load.windows if one.ack.count],
        "ack, p99": [(one.at, one.ack.p99) for one in load.windows if one.ack.count],
        "ack, worst": [(one.at, one.ack.worst) for one in load.windows if one.ack.count],
        "WebSocket, p99": [(one.at, one.websocket.p99) for one in load.windows if one.websocket.count],
        "overview, p99": [(one.at, one.overview.p99) for one in load.windows if one.overview.count],
    }
    return plot(f"{load.rate:,.0f} reports a second, open loop", Axis("seconds"), Axis("ms", is_log=True), lines_)


def flat_part(machine: str, load: Load, retention: str, since: float) -> str:
    """Returns the results of `make bench-flat` in Markdown."""
    kept = f"retention {retention}" if retention else "no retention"
    head = f"Of {machine}; {kept}, slopes from second {since:.0f} on."
    plots = "![Memory and files](performance/flat.svg)", "", "![Latencies](performance/flat-latency.svg)"
    return "\n".join([head, "", *plots, "", *flat(load, since), "", *lines(load)])


def flat_plots(load: Load) -> dict[str, str]:
    lines_ = {
        "memory, PSS": [(one.at / 60, sum(one.pss.values()) / 1e6) for one in load.samples],
        "database": [(one.at / 60, one.files.get("database", 0) / 1e6) for one in load.samples],
        "its log (WAL)": [(one.at / 60, one.files.get(".wal", 0) / 1e6) for one in load.samples],
        "log": [(one.at / 60, one.files.get(".log", 0) / 1e6) for one in load.samples],
    }
    memory = plot("Memory and files", Axis("minutes"), Axis("MB"), lines_)
    return {"flat": memory, "flat-latency": latency_plot(load)}
