"""What happens in simulated fleets, and how many messages people may get of it: the table of docs/alerting.md."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

from conftest import ROOT

CRITICAL, WARNING, INFO = "RESOURCE_EXHAUSTED", "NETWORK_TIMEOUT", "TEST_FAILED"  # categories of these severities


class Reporting(Protocol):
    """A fleet, and the service that it reports to. `minute` is how long a minute takes, in seconds."""

    minute: float

    def report(
        self, worker: str, *, kind: str = "OutOfMemory", category: str = CRITICAL, is_system_critical: bool = False
    ) -> None: ...

    async def restart(self) -> None:
        """Stops the service and starts it again."""


async def storm(fleet: Reporting, reports: int = 881, workers: int = 20, minutes: float = 10, kinds: int = 1) -> None:
    """Workers fail one after the other, and then again and again."""
    began = time.monotonic()
    for n in range(reports):
        failing = 1 + n * workers // reports
        fleet.report(f"worker-{n % failing}", kind=f"Error{'ABC'[n % kinds]}")  # digits would not tell patterns apart
        await asyncio.sleep(max(began + n * minutes * fleet.minute / reports - time.monotonic(), 0))


async def storm_of_three_patterns(fleet: Reporting) -> None:
    await storm(fleet, kinds=3)


async def restarted_in_a_storm(fleet: Reporting) -> None:
    for _ in range(2):
        await asyncio.gather(storm(fleet, 440, 20, 5, 3), fleet.restart())


async def quiet_day(fleet: Reporting) -> None:
    for n in range(20):
        fleet.report(f"worker-{n}", category=(INFO, INFO, WARNING)[n % 3])
        await asyncio.sleep(fleet.minute / 2)


async def crash_loop(fleet: Reporting) -> None:
    for _ in range(6):  # up 15 s of every 90 s
        fleet.report("worker-1")
        await asyncio.sleep(1.5 * fleet.minute)


async def three_hundred_at_once(fleet: Reporting) -> None:
    for n in range(900):
        fleet.report(f"worker-{n % 300}")


async def one_flaky(fleet: Reporting) -> None:
    fleet.report("worker-1")


async def system_critical(fleet: Reporting) -> None:
    fleet.report("worker-1", is_system_critical=True)


async def silenced_worker(fleet: Reporting) -> None:
    """worker-3 is known to be broken; then others have the same error."""
    fleet.report("worker-3")
    await asyncio.sleep(6 * fleet.minute)
    fleet.report("worker-4")


async def nightly_run(fleet: Reporting) -> None:
    """Tests fail on many workers, and some runs need more memory than there is."""
    for n in range(500):
        fleet.report(f"worker-{n % 50}", kind=f"Test{n % 40}", category=INFO)
        if n % 100 == 10:
            fleet.report(f"worker-{n // 10}")
        await asyncio.sleep(9 * fleet.minute / 500)


async def dead_worker(fleet: Reporting) -> None:
    """It sends warnings, crashes, and sends nothing any more. Others go on."""
    for n in range(60):
        if n <= 20:
            fleet.report("worker-9", category="WORKER_CRASHED" if n == 20 else WARNING)
        fleet.report("worker-1", category=INFO)
        await asyncio.sleep(fleet.minute / 10)


SITUATIONS: dict[str, Callable[[Reporting], Awaitable[None]]] = {
    "quiet-day": quiet_day,
    "one-flaky": one_flaky,
    "storm": storm,
    "storm-of-three-patterns": storm_of_three_patterns,
    "three-hundred-at-once": three_hundred_at_once,
    "crash-loop": crash_loop,
    "restart-in-a-storm": restarted_in_a_storm,
    "first-of-two-services": one_flaky,
    "second-of-two-services": one_flaky,
    "system-critical": system_critical,
    "alertmanager-away": storm,
    "silenced-worker": silenced_worker,
    "nightly-run": nightly_run,
    "dead-worker": dead_worker,
}


def documented() -> dict[str, tuple[int, int, int]]:
    """The most messages in each situation, by Slack, mail and pager, as docs/alerting.md says."""
    text = (ROOT / "docs/alerting.md").read_text("utf-8")
    rows = re.findall(r"^\| `([a-z-]+)` \|.*?\| (\d+) \| (\d+) \| (\d+) \|", text, re.M)
    return {name: (int(slack), int(mail), int(pager)) for name, slack, mail, pager in rows}
