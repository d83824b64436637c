"""`error-visualization demo`: sends the errors of a simulated fleet to a service, to try out the page."""

import argparse
import asyncio
import contextlib
import datetime as dt
import itertools
import logging
import secrets
import sys
from collections.abc import Mapping
from typing import Any, Final

import aiohttp

from exporter.access.secrets import without_secrets
from exporter.client import authorization
from exporter.demo.fleet import Moment, story
from exporter.logs import printable

CHUNK: Final = 100
MAX_WAIT: Final = 10.0
_log = logging.getLogger(__name__)


class DeniedError(Exception):
    """The service takes no reports from this sender."""


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


def main(given: argparse.Namespace) -> int:
    """Runs until it is interrupted or the duration is over; returns the exit status."""
    if given.rate <= 0 or given.workers < 1 or given.backlog < 0:
        print("--rate must be greater than 0, --workers at least 1, --backlog at least 0")
        return 2
    logging.basicConfig(level="INFO", format="%(message)s")
    try:
        sent = asyncio.run(run(given.url, seed=given.seed, workers=given.workers, rate=given.rate,
                               duration=given.duration, backlog=given.backlog,
                               headers=authorization(given.token_file)))  # fmt: skip
        print(f"{sent} errors sent")
    except KeyboardInterrupt:
        return 0
    except (DeniedError, OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


async def run(
    url: str,
    *,
    seed: int = 1,
    workers: int = 24,
    rate: float = 1.0,
    duration: float | None = None,
    backlog: int = 600,
    headers: Mapping[str, str] | None = None,
) -> int:
    """Sends `backlog` errors dated in the past 24 hours, then current errors for `duration` seconds (None: until
    cancelled). Returns how many were accepted. Retries while the service is unreachable; logs refused reports. Raises
    `DeniedError`."""
    url = url.rstrip("/")
    moments = story(seed, workers)
    name = secrets.token_hex(4)  # makes event ids unique to this run: the next run's errors are no duplicates
    numbers = itertools.count()
    sent = 0
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30), headers=headers) as session:
        past = list(itertools.islice(moments, backlog))
        for start in range(0, len(past), CHUNK):
            reports = [_stamped(m, _past(m, past), f"{name}-{next(numbers)}") for m in past[start : start + CHUNK]]
            sent += (await _post(session, f"{url}/api/report-errors", reports))["data"]["stored"]
        began = asyncio.get_running_loop().time()
        offset = past[-1].seconds if past else 0.0
        for moment in moments:
            due = (moment.seconds - offset) / rate
            if duration is not None and due > duration:
                return sent
            await asyncio.sleep(max(0.0, began + due - asyncio.get_running_loop().time()))
            report = _stamped(moment, dt.datetime.now(dt.UTC), f"{name}-{next(numbers)}")
            sent += (await _post(session, f"{url}/api/report-error", report))["status"] == "success"
    return sent


def _past(moment: Moment, past: list[Moment]) -> dt.datetime:
    """Returns the timestamp of a backlog error: the backlog spans the past 24 hours and is denser towards now."""
    share = moment.seconds / past[-1].seconds if past[-1].seconds else 1.0
    return dt.datetime.now(dt.UTC) - dt.timedelta(hours=24 * (1 - share) ** 1.5, seconds=1)


def _stamped(moment: Moment, at: dt.datetime, event_id: str) -> dict[str, Any]:
    return {"timestamp": at.isoformat(), "event_id": event_id, **moment.report}


async def _post(session: aiohttp.ClientSession, url: str, content: Any) -> dict[str, Any]:
    """Posts `content` and returns the JSON of the response. Retries with backoff on connection errors, 429 and 5xx.
    Raises `DeniedError`."""
    for attempt in itertools.count():
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):
            async with session.post(url, json=content) as response:
                if response.status < 500 and response.status != 429:
                    answer: dict[str, Any] = await response.json()
                    if response.status in (401, 403):
                        raise DeniedError(printable(without_secrets(f"{url}: {answer.get('message')}")))
                    if response.status >= 400:
                        _log.warning("refused: %s", printable(str(answer.get("message"))))
                    return answer
        if attempt == 2:
            _log.info("%s does not answer; retrying", without_secrets(url))
        await asyncio.sleep(min(0.2 * 2**attempt, MAX_WAIT))
    raise AssertionError
