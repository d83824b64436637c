"""The messages that people get, in real time: each situation of docs/alerting.md, with Prometheus and Alertmanager.

    python benchmarks/messages.py [--newer] [--minutes 27] [--only NAME ...] [--folder FOLDER]

Each situation has a service of its own, as the shipped command starts it, and a job of its own. One Prometheus scrapes
all of them, with the shipped configuration and all rules, and one Alertmanager sends the messages, with the shipped
configuration: Slack and the pager are stand-ins, the mail server is real. The situation without an Alertmanager has a
Prometheus and an Alertmanager of its own. Fails if a situation makes more messages than docs/alerting.md says, or none
where it says that there are some. `tests/stack/test_messages.py` runs the situations with shortened times and without
rules, and reads the messages.
"""

import argparse
import asyncio
import contextlib
import operator
import sys
import tempfile
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

ROOT: Final = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests/support")]

from aiohttp import ClientError, ClientSession  # noqa: E402
from conftest import Served, free_port  # noqa: E402
from newer_parts import newer  # noqa: E402
from receivers import MessageLog, Receivers, receivers  # noqa: E402
from situations import CRITICAL, SITUATIONS, documented  # noqa: E402
from stack import ALERTMANAGER, PROMETHEUS, Stack, get, in_thread, silence  # noqa: E402

WARM_UP_SECONDS: Final = 120.0  # for which the services are scraped before anything happens
POLL_SECONDS: Final = 15.0  # between two requests for the alerts of the rules
TRIES: Final = 60  # to send a report, one a second
SENDERS: Final = 16  # at one time, as workers send independently of each other
AWAY: Final = "alertmanager-away"
AWAY_MINUTES: Final = 11.0
# What rules say of an Alertmanager that was away reaches it when it is back: a message then, and one when they end.
# NotificationsFailing in Slack; PrometheusNotificationsFailing, which is of no situation, by mail, too; TargetMissing
# in Slack, if Prometheus sends it before it scrapes the Alertmanager that is back.
OF_AWAY: Final = {AWAY: (2, 0, 0), "": (4, 2, 0)}


class Programs(NamedTuple):
    """The paths of the programs."""

    prometheus: str
    alertmanager: str


class Service:
    """A service, and what its workers report. A report that it does not take is sent again."""

    minute = 60.0

    def __init__(self, name: str, folder: Path, alertmanager: str) -> None:
        self.name = name
        self.port = free_port()
        self._database = folder / f"{name}.duckdb"
        self._alertmanager = alertmanager
        self._reports: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.start()

    def start(self) -> None:
        options = {
            "--alertmanager-url": self._alertmanager, "--external-url": f"http://{self.name}",
            "--external-labels": f"job={self.name}", "--allowed-hosts": "127.0.0.1", "--log-level": "error",
        }  # fmt: skip
        words = [word for option in options.items() for word in option]
        self._served = Served(self._database, *words, port=self.port)

    def stop(self) -> None:
        self._served.stop()

    async def restart(self) -> None:
        await in_thread(self.stop)
        await in_thread(self.start)

    def report(
        self, worker: str, *, kind: str = "OutOfMemory", category: str = CRITICAL, is_system_critical: bool = False
    ) -> None:
        self._reports.put_nowait({
            "event_id": str(uuid.uuid4()), "worker_id": worker, "type": kind, "message": f"{kind} while training",
            "error_category": category, "traceback": "File train.py\nMemoryError",
            "is_system_critical": is_system_critical,
        })  # fmt: skip

    async def send(self) -> None:
        """Sends what the workers report, until it is cancelled."""
        async with ClientSession(f"http://127.0.0.1:{self.port}") as session:
            await asyncio.gather(*(self._send(session) for _ in range(SENDERS)))

    async def _send(self, session: ClientSession) -> None:
        while True:
            await _sent(session, await self._reports.get())


async def _sent(session: ClientSession, report: dict[str, Any]) -> None:
    """Sends a report until the service, which may be starting, accepts it. Raises RuntimeError."""
    for _ in range(TRIES):
        with contextlib.suppress(ClientError, TimeoutError):
            async with session.post("/api/report-error", json=report) as answer:
                if answer.status == 200:
                    return
        await asyncio.sleep(1)
    raise RuntimeError(f"the service did not accept {report} in {TRIES} tries")


def start_prometheus(stack: Stack, services: list[Service], alertmanager: int, program: str) -> str:
    """Starts a Prometheus with a job for each service, and the rules for all of them. Returns its URL."""
    before, job, after = _parts(stack.configuration())
    jobs = [
        job.replace("job_name: error-visualization", f"job_name: {one.name}").replace(
            "exporter:8080", f"127.0.0.1:{one.port}"
        )
        for one in services
    ]
    names = "|".join(one.name for one in services)
    return stack.run_prometheus(before + "".join(jobs) + after, {"selector": f'job=~"{names}"'}, alertmanager, program)


def _parts(configuration: str) -> tuple[str, str, str]:
    """Returns what is before the job of the service, that job, and what is after it."""
    begin = configuration.index("  - job_name: error-visualization\n")
    end = configuration.index("\n\n", begin) + 2
    return configuration[:begin], configuration[begin:end], configuration[end:]


async def watch(prometheus: str, fired: dict[tuple[str, str], list[float]], log: MessageLog) -> None:
    """Notes of each alert of the rules when it was seen to fire first and last, until it is cancelled."""
    while True:
        await asyncio.sleep(POLL_SECONDS)
        with contextlib.suppress(OSError):
            for one in (await in_thread(get, f"{prometheus}/api/v1/alerts"))["data"]["alerts"]:
                if one["state"] == "firing":
                    key, now = (one["labels"].get("job", ""), one["labels"]["alertname"]), time.monotonic() - log.began
                    fired.setdefault(key, [now, now])[1] = now


class Site:
    """Some of the situations, with a Prometheus and an Alertmanager of their own."""

    def __init__(self, folder: Path, names: Sequence[str], programs: Programs, to: Receivers) -> None:
        folder.mkdir()
        self.services: list[Service] = []
        self._folder, self._names, self._programs, self._authority = folder, names, programs, to.mail.authority
        self._stack, self._port = Stack(folder), free_port()
        self._stack.configure_alertmanager(to.slack.port, to.mail.port, pager=to.pager)

    async def start(self, ending: contextlib.AsyncExitStack) -> str:
        """Starts all but an Alertmanager that is away. Returns the URL of Prometheus."""
        ending.push_async_callback(in_thread, self._stack.stop)
        address = f"http://127.0.0.1:{self._port}"
        if AWAY not in self._names:
            await self.start_alertmanager()
            await in_thread(silence, address, {"job": "silenced-worker", "worker": "worker-3"})
        for name in self._names:
            self.services.append(await in_thread(Service, name, self._folder, address))
            ending.push_async_callback(in_thread, self.services[-1].stop)
        return await in_thread(start_prometheus, self._stack, self.services, self._port, self._programs.prometheus)

    async def start_alertmanager(self, after_minutes: float = 0.0) -> None:
        await asyncio.sleep(60 * after_minutes)
        program = self._programs.alertmanager
        await in_thread(lambda: self._stack.start_alertmanager(self._port, authority=self._authority, program=program))


async def run(folder: Path, programs: Programs, names: Sequence[str], minutes: float) -> int:
    """Runs situations, and ends what it started, also if it fails. Returns the exit status."""
    log, fired = MessageLog(names), dict[tuple[str, str], list[float]]()
    async with contextlib.AsyncExitStack() as ending:
        to = await receivers(folder, log, ending)
        parts = [[name for name in names if (name == AWAY) == away] for away in (False, True)]
        sites = [Site(folder / part[0], part, programs, to) for part in parts if part]
        prometheuses = [await site.start(ending) for site in sites]
        services = [service for site in sites for service in site.services]
        await asyncio.sleep(WARM_UP_SECONDS)
        log.began = time.monotonic()
        working = [asyncio.create_task(work) for work in (
            *(one.send() for one in services), *(watch(one, fired, log) for one in prometheuses),
        )]  # fmt: skip
        happening = [asyncio.create_task(SITUATIONS[one.name](one)) for one in services]
        if AWAY in names:
            happening.append(asyncio.create_task(sites[-1].start_alertmanager(AWAY_MINUTES)))
        await asyncio.sleep(60 * minutes)
        failed = [task for task in (*working, *happening) if task.done() and task.exception()]
        print(*(f"failed: {task.exception()!r}" for task in failed), sep="\n")
        unfinished = [task for task in happening if not task.done()]
        for task in (*working, *happening):
            task.cancel()
        await asyncio.gather(*working, *happening, return_exceptions=True)
    good = summary(log, fired)
    print("unfinished:", len(unfinished), "refused by Slack:", to.slack.refused)
    return int(not good or bool(failed or unfinished or to.slack.refused))


def limits(names: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """Returns the most messages by Slack, mail and pager of each situation, and of none ("")."""
    most: dict[str, tuple[int, ...]] = {"": (0, 0, 0), **documented()}
    for name, of_rules in OF_AWAY.items() if AWAY in names else ():
        most[name] = tuple(map(operator.add, most[name], of_rules))
    return most


def exceeds(counts: tuple[int, ...], most: tuple[int, ...]) -> bool:
    return any(map(operator.gt, counts, most))


def summary(log: MessageLog, fired: dict[tuple[str, str], list[float]]) -> bool:
    """Prints the numbers of messages, and the alerts of the rules. Returns whether the numbers are as documented."""
    most = limits(log.names)
    good = not exceeds(log.counts(""), most[""])
    print("\n| Situation | Slack | Mail | Pager | Rules that fired, in seconds |\n|---|--:|--:|--:|---|")
    for name in log.names:
        counts = log.counts(name)
        wrong = exceeds(counts, most[name]) or [bool(n) for n in counts] != [bool(n) for n in most[name]]
        good = good and not wrong
        rules = [f"{alert} {at[0]:.0f} to {at[1]:.0f}" for (job, alert), at in sorted(fired.items()) if job == name]
        numbers = " | ".join(map(str, counts))
        print(f"| `{name}`{' (not as documented)' if wrong else ''} | {numbers} | {', '.join(rules)} |")
    print(f"\nof no situation: {log.counts('')}")
    print("other rules:", sorted({alert for job, alert in fired if job not in log.names}))
    return good


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--newer", action="store_true", help="the newer programs of tests/newer_parts.py")
    parser.add_argument("--minutes", type=float, default=27, help="after the first error (default: %(default)s)")
    every = list(SITUATIONS)
    parser.add_argument("--only", nargs="+", choices=every, default=every, help="situations (default: all)")
    parser.add_argument("--folder", type=Path, help="a new folder for databases and logs (default: a temporary one)")
    arguments = parser.parse_args()
    prometheus = newer("prometheus") if arguments.newer else PROMETHEUS
    alertmanager = newer("prometheus-alertmanager") if arguments.newer else ALERTMANAGER
    if not (prometheus and alertmanager):
        parser.error("Prometheus or Alertmanager is not installed (`make .venv/real-parts` installs them)")
    with contextlib.ExitStack() as ending:
        folder = arguments.folder or Path(ending.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)
        return asyncio.run(run(folder, Programs(prometheus, alertmanager), arguments.only, arguments.minutes))


if __name__ == "__main__":
    sys.exit(main())
