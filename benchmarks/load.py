"""Open-loop load on a running service, with open pages, scrapes and a WebSocket client that measures.

    python benchmarks/load.py [--rate 5000] [--seconds 300] [--errors 10000000] [--retention 160h] [--pages 5]

Reports come at fixed times, whatever the service answers (`open_loop.py`); `--rate` is half of the rate that wrk
reaches on an empty service before, unless it is given. Each page asks for what a page asks for, at its rhythm
(`readers.py`). The times of the WebSocket client are from the receipt of an error until its update arrives, so they
include the commit. Memory and files are measured every five seconds. `flat.py` makes a long run of this.
"""

import argparse
import asyncio
import contextlib
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import numpy as np
import uvloop
from figures import quantiles
from fill import filled
from ingest import half_rate
from listener import Listener, listen
from load_results import Load, Sample, Window, bars, lines
from open_loop import Offered, Plan, Sending
from read_results import machine
from readers import Page, Timed, client, scrape, series
from serving import Sampling, Serving

AHEAD: Final = 0.5  # seconds between the preparation and the first report
SETTLE: Final = 2.0  # seconds after the last report until the readers stop
WINDOWS: Final = 60  # parts of a run that have latencies of their own
SAMPLE_SECONDS: Final = 5.0
CALM_SECONDS: Final = (
    0.005  # an acknowledgement that ended so long before a scrape or began so long after is not part of it
)


class Options(NamedTuple):
    """`scrape_every` is in seconds, 0 for no scrapes. `listeners` are WebSocket clients as the page has
    them, besides the one that measures."""

    rate: float
    seconds: float
    pages: int = 0
    scrape_every: float = 0.0
    workers: int = 1_000
    connections: int = 256
    is_even: bool = False
    listeners: int = 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, help="reports a second (default: half of what wrk reaches)")
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--errors", type=int, default=0, help="that are stored before (default: none)")
    parser.add_argument("--workers", type=int, default=1_000)
    parser.add_argument("--pages", type=int, default=5, help="that are open (default: %(default)s)")
    parser.add_argument("--scrape-every", type=float, default=5.0, help="seconds; 0: never (default: %(default)s)")
    parser.add_argument("--connections", type=int, default=256)
    parser.add_argument("--even", action="store_true", help="evenly spaced instead of random times")
    parser.add_argument("--retention", help="how long errors are kept (30d, 5m), as serve takes it")
    parser.add_argument("--folder", type=Path, help="where the database is made (default: a temporary folder)")
    parser.add_argument("--json", type=Path, help="a file to write all results to")
    given = parser.parse_args()
    rate = given.rate or half_rate()
    options = Options(
        rate, given.seconds, given.pages, given.scrape_every, given.workers, given.connections, given.even
    )
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        path = Path(folder, "errors.duckdb")
        if given.errors:
            print(filled(path, given.errors), flush=True)
        extra = ("--retention", given.retention) if given.retention else ()
        with Serving(path, *extra) as serving:
            found = under_load(serving, options)
    print(machine(), *lines(found), *bars(found), sep="\n")
    if given.json:
        given.json.write_bytes(msgspec.json.format(msgspec.json.encode({"machine": machine(), "load": found})))
    return 0


def under_load(serving: Serving, options: Options) -> Load:
    """Sends the load to a service, reads meanwhile, and returns what was measured."""
    allow_sockets()
    with Watch(serving) as watch:
        return uvloop.run(_under_load(serving, options, watch))


async def _under_load(serving: Serving, options: Options, watch: "Watch") -> Load:
    overview, facets, lists, scrapes = Timed(), Timed(), Timed(), Timed()
    async with client(serving.url) as session:
        pages = [Page(session, serving.url, overview, facets, lists) for _ in range(options.pages)]
        measuring = await listen(serving.url, measures=True)
        crowd = [await listen(serving.url, batch=True) for _ in range(options.listeners)]
        tasks = [asyncio.create_task(page.run()) for page in pages]
        if options.scrape_every:
            tasks.append(asyncio.create_task(scrape(session, scrapes, options.scrape_every)))
        plan = Plan(serving.port, options.rate, options.seconds, options.connections, options.workers, options.is_even)
        sending = await asyncio.to_thread(Sending, plan)
        watch.began = began = sending.begin(AHEAD)
        offered = await asyncio.to_thread(sending.result)
        await asyncio.sleep(SETTLE)
        for task in tasks:
            if task.done():
                task.result()  # raises what ended it
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        listeners = [one for one in (measuring, *crowd, *(page.listener for page in pages)) if one]
        closed = sum(one.closed for one in listeners)
        for one in listeners:
            one.transport.close()
        return Load(
            rate=options.rate, seconds=options.seconds, answered=len(offered.due), failed=offered.failed,
            unanswered=offered.unanswered, generator_cpu=offered.cpu_seconds / options.seconds,
            ack=_ms(offered.latency), late=_ms(offered.late), ack_noticed=_ms(offered.latency - offered.late),
            **_by_scrapes(offered, scrapes), overview=_ms(overview.took), unchanged=overview.unchanged,
            facets=_ms(facets.took), lists=_ms(lists.took), scrape=_ms(scrapes.took), series=await series(session),
            failed_reads=sum(one.failed for one in (overview, facets, lists, scrapes)), websocket=_ms(measuring.lags),
            updates=sum(one.messages for one in crowd) / options.seconds,
            update_bytes=sum(one.bytes for one in crowd) / options.seconds, closed=closed,
            windows=_windows(offered, measuring, overview, began, options.seconds), samples=watch.samples,
        )  # fmt: skip


def _by_scrapes(offered: Offered, scrapes: Timed) -> dict[str, object]:
    """Returns the acknowledgements that were waited for during a scrape, and the others."""
    began, took = np.array(scrapes.began), np.array(scrapes.took)
    inside = np.zeros(len(offered.due), dtype=bool)
    done = offered.due + offered.latency
    for start, end in zip(began - CALM_SECONDS, began + took + CALM_SECONDS, strict=True):
        inside |= (done > start) & (offered.due < end)
    return {"ack_in_scrape": _ms(offered.latency[inside]), "ack_outside": _ms(offered.latency[~inside])}


def _windows(offered: Offered, measuring: Listener, overview: Timed, began: float, seconds: float) -> list[Window]:
    """Divides the run into equal parts, with the latencies of each."""
    width = seconds / WINDOWS
    kinds = [
        (offered.due, offered.latency),
        (np.array(measuring.times), np.array(measuring.lags)),
        (np.array(overview.began), np.array(overview.took)),
    ]
    parts = [((times - began) // width, values) for times, values in kinds]
    return [
        Window((number + 0.5) * width, *(_ms(values[part == number]) for part, values in parts))
        for number in range(WINDOWS)
    ]


def _ms(seconds: object) -> object:
    return quantiles(1000 * np.asarray(seconds, dtype=float))


class Watch(Sampling):
    """Measures memory and files. `began` is the monotonic time that counts as 0."""

    seconds = SAMPLE_SECONDS

    def __init__(self, serving: Serving) -> None:
        super().__init__()
        self.began = time.monotonic()
        self.samples: list[Sample] = []
        self._serving = serving

    def sample(self) -> None:
        memories = self._serving.memories()
        pss, rss = ({name: one[kind] for name, one in memories.items()} for kind in (0, 1))
        self.samples.append(Sample(time.monotonic() - self.began, pss, rss, self._serving.sizes()))


def allow_sockets() -> None:
    with contextlib.suppress(ValueError, OSError):
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 65_536), most))


if __name__ == "__main__":
    sys.exit(main())
