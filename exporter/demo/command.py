"""`error-visualization demo`: sends the errors of a simulated fleet to a service, to try out the page."""

import argparse
import asyncio
import datetime as dt
import itertools
import logging
import secrets
import sys
from collections.abc import Mapping
from typing import Any, Final

import aiohttp

from exporter.client import authorization
from exporter.demo import serving
from exporter.demo.asking import DeniedError, ask
from exporter.demo.fleet import Moment, story
from exporter.demo.label import LABEL, refuse_others, remove

CHUNK: Final = 100


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--url", default="http://127.0.0.1:8080", help="the service (default: %(default)s)")
    parser.add_argument("--token-file", metavar="FILE", help="file with a token (default: ERROR_VISUALIZATION_TOKEN)")
    parser.add_argument("--seed", type=int, default=1, help="seed of the simulation (default: %(default)s)")
    parser.add_argument("--workers", type=int, default=24, help="number of workers (default: %(default)s)")
    parser.add_argument("--rate", type=float, default=1.0, help="errors per second, on average (default: %(default)s)")
    parser.add_argument("--duration", type=float, help="seconds to run (default: until interrupted)")
    parser.add_argument(
        "--backlog", type=int, default=600, help="errors of the past 24 hours, sent first (default: %(default)s)"
    )
    parser.add_argument("--force", action="store_true", help="send to a service that has errors of other workers, too")
    parser.add_argument("--remove", action="store_true", help="delete the errors of demos from the service, and exit")
    parser.add_argument(
        "--serve", nargs=argparse.REMAINDER, metavar="OPTION",
        help=f"start a service with these options of `serve` first (its database: {serving.DATABASE})",
    )  # fmt: skip


def main(given: argparse.Namespace) -> int:
    """Runs until it is interrupted or the duration is over; returns the exit status."""
    if given.rate <= 0 or given.workers < 1 or given.backlog < 0:
        print("--rate must be greater than 0, --workers at least 1, --backlog at least 0")
        return 2
    logging.basicConfig(level="INFO", format="%(message)s")
    try:
        if given.serve is not None:
            return serving.serve(given.serve, lambda url: print(_send(given, url), flush=True))
        print(
            asyncio.run(remove(given.url, authorization(given.token_file))) if given.remove else _send(given, given.url)
        )
    except KeyboardInterrupt:
        return 0
    except (DeniedError, OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _send(given: argparse.Namespace, url: str) -> str:
    """Sends the errors, and returns the sentence that says so. Raises as `run`."""
    sent = asyncio.run(run(url, seed=given.seed, workers=given.workers, rate=given.rate, duration=given.duration,
                           backlog=given.backlog, headers=authorization(given.token_file), label=LABEL,
                           among_others=given.force))  # fmt: skip
    return f"{sent} errors sent"


async def run(
    url: str,
    *,
    seed: int = 1,
    workers: int = 24,
    rate: float = 1.0,
    duration: float | None = None,
    backlog: int = 600,
    headers: Mapping[str, str] | None = None,
    label: str = "",
    among_others: bool = True,
) -> int:
    """Sends `backlog` errors dated in the past 24 hours, then current errors for `duration` seconds (None: until
    cancelled). `label` begins each `worker_id`. Returns how many were accepted. Retries while the service is
    unreachable; logs refused reports. Raises `DeniedError`, also for a service that has errors of other workers, unless
    `among_others`."""
    url = url.rstrip("/")
    moments = story(seed, workers)
    name = secrets.token_hex(4)  # makes event ids unique to this run: the next run's errors are no duplicates
    numbers = itertools.count()
    sent = 0
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30), headers=headers) as session:
        if not among_others:
            await refuse_others(session, url)
        past = list(itertools.islice(moments, backlog))
        for start in range(0, len(past), CHUNK):
            reports = [
                _stamped(m, label, _past(m, past), f"{name}-{next(numbers)}") for m in past[start : start + CHUNK]
            ]
            sent += (await ask(session, "POST", f"{url}/api/report-errors", reports))["data"]["stored"]
        began = asyncio.get_running_loop().time()
        offset = past[-1].seconds if past else 0.0
        for moment in moments:
            due = (moment.seconds - offset) / rate
            if duration is not None and due > duration:
                return sent
            await asyncio.sleep(max(0.0, began + due - asyncio.get_running_loop().time()))
            report = _stamped(moment, label, dt.datetime.now(dt.UTC), f"{name}-{next(numbers)}")
            sent += (await ask(session, "POST", f"{url}/api/report-error", report))["status"] == "success"
    return sent


def _past(moment: Moment, past: list[Moment]) -> dt.datetime:
    """Returns the timestamp of a backlog error: the backlog spans the past 24 hours and is denser towards now."""
    share = moment.seconds / past[-1].seconds if past[-1].seconds else 1.0
    return dt.datetime.now(dt.UTC) - dt.timedelta(hours=24 * (1 - share) ** 1.5, seconds=1)


def _stamped(moment: Moment, label: str, at: dt.datetime, event_id: str) -> dict[str, Any]:
    worker = label + moment.report["worker_id"]
    return {"timestamp": at.isoformat(), "event_id": event_id, **moment.report, "worker_id": worker}
