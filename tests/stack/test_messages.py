"""The messages that people get: simulated fleets against the real Alertmanager with the shipped configuration.

All situations run at the same time against one Alertmanager, each as a service of its own. 2.5 minutes take a second, here
and in a copy of the configuration.
"""

import asyncio
import datetime as dt
import json
import re
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, web
from conftest import ROOT, free_port
from events import event
from newer_parts import newer
from stack import Mail, Slack, Stack, in_thread, needs_stack
from stub import listening

from exporter.alerting import alertmanager as notifying
from exporter.alerting import alerts, queue
from exporter.alerting.alert import Push
from exporter.alerting.alertmanager import Notifier

pytestmark = [pytest.mark.dashboard, needs_stack]
MINUTE = 0.4  # seconds
TIMES = {
    "group_wait: 1s": "group_wait: 100ms",
    "group_wait: 2s": "group_wait: 800ms",
    "group_interval: 5m": "group_interval: 2s",
}
OVER = (
    15 * MINUTE
)  # for the last message of each incident: alerts end, then up to 5 minutes until the next one of the group


class Memory:
    """What a notifier needs of the log."""

    last = 0
    saved = b""

    def state(self, _: str) -> bytes:
        return self.saved

    def save_state(self, _: str, state: bytes) -> None:
        self.saved = state


class Fleet:
    """A service without its store, and what people were told of its errors."""

    def __init__(self, name: str, alertmanager: str, **labels: str) -> None:
        self.slack: list[str] = []
        self.mail: list[str] = []
        self.pager: list[str] = []
        self._memory, self._url, self._number = Memory(), alertmanager, 0
        self._push = Push(
            resend_seconds=MINUTE, hold_seconds=10 * MINUTE, page_url=f"http://{name}", runbook_url="http://docs",
            labels={"service": name} | labels,
        )  # fmt: skip
        self.start()

    def start(self) -> None:
        self.notifier = Notifier(self._memory, [self._url], self._push, 10_000)  # type: ignore[arg-type]
        self.notifier.resume([])
        self.notifier.start()

    def report(self, worker: str, **fields: Any) -> None:
        self._number += 1
        kind = fields.get("type", "OutOfMemory")
        values = {"type": kind, "fingerprint": kind, "message": f"{kind} while training", "category": "RESOURCE",
                  "traceback": "File train.py\nMemoryError"} | fields  # fmt: skip
        self.notifier.on_events([event(self._number, worker_id=worker, **values)])

    async def storm(self, reports: int = 881, workers: int = 20, minutes: float = 10, kinds: int = 1) -> None:
        """Workers fail one after the other, and then again and again."""
        began = time.monotonic()
        for n in range(reports):
            failing = 1 + n * workers // reports
            self.report(f"worker-{n % failing}", type=f"Error{n % kinds}")
            await asyncio.sleep(max(began + n * minutes * MINUTE / reports - time.monotonic(), 0))

    async def restart(self) -> None:
        await self.notifier.stop()
        self.start()


async def quiet_day(fleet: Fleet) -> None:
    for n in range(20):
        fleet.report(f"worker-{n}", severity=("info", "warning")[n % 2])
        await asyncio.sleep(MINUTE / 2)


async def crash_loop(fleet: Fleet) -> None:
    for _ in range(6):  # up 15 s of every 90 s
        fleet.report("worker-1")
        await asyncio.sleep(1.5 * MINUTE)


async def restarted_in_a_storm(fleet: Fleet) -> None:
    for _ in range(2):
        await asyncio.gather(fleet.storm(440, 20, 5, 3), fleet.restart())


async def three_hundred_at_once(fleet: Fleet) -> None:
    for n in range(900):
        fleet.report(f"worker-{n % 300}")


async def one_flaky(fleet: Fleet) -> None:
    fleet.report("worker-1")


async def system_critical(fleet: Fleet) -> None:
    fleet.report("worker-1", is_system_critical=True)


async def silenced_worker(fleet: Fleet) -> None:
    """worker-3 is known to be broken; then others have the same error."""
    fleet.report("worker-3")
    await asyncio.sleep(6 * MINUTE)
    fleet.report("worker-4")


async def nightly_run(fleet: Fleet) -> None:
    """Tests fail on many workers, and some runs need more memory than there is."""
    for n in range(500):
        fleet.report(f"worker-{n % 50}", severity="info", type=f"Test{n % 40}", category="TEST_FAILED")
        if n % 100 == 10:
            fleet.report(f"worker-{n // 10}")
        await asyncio.sleep(9 * MINUTE / 500)


async def dead_worker(fleet: Fleet) -> None:
    """It sends warnings, crashes, and sends nothing any more. Others go on."""
    for n in range(60):
        if n <= 20:
            fleet.report("worker-9", **({"category": "WORKER_CRASHED"} if n == 20 else {"severity": "warning"}))
        fleet.report("worker-1", severity="info")
        await asyncio.sleep(MINUTE / 10)


SITUATIONS: dict[str, Callable[[Fleet], Any]] = {
    "quiet-day": quiet_day,
    "one-flaky": one_flaky,
    "storm": lambda fleet: fleet.storm(),
    "storm-of-three-patterns": lambda fleet: fleet.storm(kinds=3),
    "three-hundred-at-once": three_hundred_at_once,
    "crash-loop": crash_loop,
    "restart-in-a-storm": restarted_in_a_storm,
    "first-of-two-services": one_flaky,
    "second-of-two-services": one_flaky,
    "system-critical": system_critical,
    "alertmanager-away": lambda fleet: fleet.storm(),
    "silenced-worker": silenced_worker,
    "nightly-run": nightly_run,
    "dead-worker": dead_worker,
}


async def run_all(folder: Path, program: str) -> dict[str, Fleet]:
    """Runs all situations with one Alertmanager; returns what people were told in each."""
    slack, mail, stack = Slack(), Mail(folder), Stack(folder)
    pages: list[str] = []

    async def page(request: web.Request) -> web.Response:
        pages.append(await request.text())
        return web.Response()

    await slack.start()
    async with listening(page) as pager:
        port = free_port()
        address = f"http://127.0.0.1:{port}"
        configure(stack, slack, mail, pager)
        await in_thread(lambda: stack.start_alertmanager(port, authority=mail.authority, program=program))
        await in_thread(silence, address, {"service": "silenced-worker", "worker": "worker-3"})
        away = Away(address)
        async with listening(away.post, method="POST") as gate:
            fleets = {name: Fleet(name, gate if name == "alertmanager-away" else address) for name in SITUATIONS}
            await asyncio.gather(*(SITUATIONS[name](fleet) for name, fleet in fleets.items()))
            await asyncio.sleep(11 * MINUTE)  # the storm is over before the Alertmanager is back
            away.open = True
            await asyncio.sleep(OVER)
            await asyncio.gather(*(fleet.notifier.stop() for fleet in fleets.values()))
    await in_thread(stack.stop)
    await slack.stop()
    await in_thread(mail.stop)
    assert slack.refused == []
    for name, fleet in fleets.items():
        fleet.slack = [shown(one) for one in slack.messages if f"http://{name}/" in json.dumps(one)]
        letters = [(one["Subject"], one.get_body(("plain",)).get_content()) for one in mail.messages]  # type: ignore[union-attr]
        fleet.mail = [f"{subject}\n{text}" for subject, text in letters if f"http://{name}/" in text]
        fleet.pager = [one for one in pages if f"http://{name}/" in one]
    return fleets


class Away:
    """An Alertmanager that nobody reaches until it is `open`."""

    def __init__(self, address: str) -> None:
        self.open = False
        self._address = address

    async def post(self, request: web.Request) -> web.Response:
        if not self.open:
            return web.Response(status=503)
        async with (
            ClientSession() as session,
            session.post(
                self._address + request.path, data=await request.read(), headers={"Content-Type": "application/json"}
            ) as answer,
        ):
            return web.Response(status=answer.status, body=await answer.read())


def configure(stack: Stack, slack: Slack, mail: Mail, pager: str) -> None:
    stack.configure_alertmanager(slack.port, mail.port)
    file = stack.folder / "alertmanager/alertmanager.yml"
    text = file.read_text("utf-8")
    for times, short in TIMES.items():
        assert times in text
        text = text.replace(times, short)
    file.write_text(text.replace("- name: pager", f"- name: pager\n    webhook_configs: [{{url: {pager}}}]"))


def silence(address: str, labels: dict[str, str]) -> None:
    now = dt.datetime.now(dt.UTC)
    body = {
        "matchers": [{"name": name, "value": value, "isRegex": False} for name, value in labels.items()],
        "startsAt": now.isoformat(), "endsAt": (now + dt.timedelta(hours=1)).isoformat(),
        "createdBy": "a test", "comment": "known",
    }  # fmt: skip
    request = urllib.request.Request(
        f"{address}/api/v2/silences", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=10) as response:
        assert json.load(response)["silenceID"]


def shown(message: dict[str, Any]) -> str:
    (attachment,) = message["attachments"]
    worker = next(field["value"] for field in attachment["fields"] if field["title"] == "Worker")
    return "\n".join((attachment["pretext"], attachment["title"], worker, attachment["text"]))


def documented() -> dict[str, tuple[int, int, int]]:
    """The most messages in each situation, by Slack, mail and pager, as docs/alerting.md says."""
    text = (ROOT / "docs/alerting.md").read_text("utf-8")
    rows = re.findall(r"^\| `([a-z-]+)` \|.*?\| (\d+) \| (\d+) \| (\d+) \|", text, re.M)
    return {name: (int(slack), int(mail), int(pager)) for name, *_ in rows for slack, mail, pager in [_]}


def test_every_situation_is_documented() -> None:
    assert documented().keys() == SITUATIONS.keys()


@pytest.mark.parametrize("release", ["Debian's", "a newer one"])
async def test_what_people_are_told(release: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One test, because the situations run together and take fifteen seconds."""
    program = ""
    if release != "Debian's":
        program = newer("prometheus-alertmanager") or ""
        if not program:
            pytest.skip("a newer Alertmanager could not be downloaded (tests/newer_parts.py)")
    for name in ("TOGETHER_SECONDS", "SAME_WORKER_SECONDS", "FRESH_SECONDS", "UPDATE_SECONDS"):
        monkeypatch.setattr(alerts, name, getattr(alerts, name) * MINUTE / 60)
    monkeypatch.setattr(notifying, "TICK_SECONDS", 0.05)
    monkeypatch.setattr(notifying, "KEEP_SECONDS", 0.1)
    monkeypatch.setattr(queue, "LONGEST_PAUSE", 0.5)
    told = await run_all(tmp_path, program)
    for name, fleet in told.items():
        print("", name, *fleet.slack, sep="\n")
        check_numbers(fleet, documented()[name])
    for name in ("storm", "storm-of-three-patterns", "restart-in-a-storm", "alertmanager-away"):
        check_storm(name, told[name])
    first, last = told["three-hundred-at-once"].slack
    assert "OutOfMemory, 900 errors on 300 workers: worker-0" in first  # all who fail at once are in the first message
    assert "900 errors on 300 workers" in last
    assert '"urgency":"page"' in told["three-hundred-at-once"].pager[0]
    assert "5 errors on 5 workers" in told["nightly-run"].slack[-1]
    assert "after 1 error on worker-9. It has reported nothing since." in told["dead-worker"].slack[-1]
    spread, _ = told["silenced-worker"].slack  # a silence of one worker does not hide the others
    assert "Now on 2 workers, 1 before. New: worker-4." in spread


def check_numbers(fleet: Fleet, most: tuple[int, int, int]) -> None:
    """Nobody gets more messages than documented, the last one says that it is quiet, and none that it is repaired."""
    numbers = (len(fleet.slack), len(fleet.mail), len(fleet.pager))
    assert all(number <= limit for number, limit in zip(numbers, most, strict=True)), numbers
    assert [bool(number) for number in numbers] == [bool(limit) for limit in most]
    assert not any("white_check_mark" in text or "RESOLVED" in text for text in (*fleet.slack, *fleet.mail))
    for texts in (fleet.slack, fleet.mail) if any(numbers) else ():
        assert "Quiet for 4 s after" in texts[-1]
        assert sum("Quiet for" in text for text in texts) == 1


def check_storm(name: str, fleet: Fleet) -> None:
    """It began, spread and is quiet, with the true numbers."""
    first, *between, last = fleet.slack
    assert "Critical Error" in first
    assert "while training" in first
    assert "MemoryError" in first
    assert name == "alertmanager-away" or any("Has Spread to" in text and "New: worker-" in text for text in between)
    counts = [int(number) for number in re.findall(r"after (\d+) errors on \d+ workers", last)]
    assert sum(counts) == (880 if name == "restart-in-a-storm" else 881)
    assert re.search(r"Without any report since: .*worker-", last)
    assert "QUIET: RESOURCE in 20 workers" in fleet.mail[-1] or name != "storm"
