"""The messages that people get: simulated fleets against the real Alertmanager with the shipped configuration.

All situations run at the same time against one Alertmanager, each as a service of its own. 2.5 minutes take a second, here
and in a copy of the configuration.
"""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, web
from conftest import free_port
from events import event
from newer_parts import newer
from situations import CRITICAL, INFO, SITUATIONS, WARNING, documented
from stack import Mail, Slack, Stack, in_thread, needs_stack, silence
from stub import listening

from exporter.alerting import alertmanager as notifying
from exporter.alerting import alerts, queue
from exporter.alerting.alert import Push
from exporter.alerting.alertmanager import Notifier

pytestmark = [pytest.mark.dashboard, needs_stack]
MINUTE = 0.4  # seconds
SEVERITIES = {CRITICAL: "critical", "WORKER_CRASHED": "critical", WARNING: "warning", INFO: "info"}
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

    minute = MINUTE

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

    def report(
        self, worker: str, *, kind: str = "OutOfMemory", category: str = CRITICAL, is_system_critical: bool = False
    ) -> None:
        self._number += 1
        one = event(
            self._number, worker_id=worker, type=kind, fingerprint=kind, message=f"{kind} while training", category=category,
            severity=SEVERITIES[category], is_system_critical=is_system_critical, traceback="File train.py\nMemoryError",
        )  # fmt: skip
        self.notifier.on_events([one])

    async def restart(self) -> None:
        await self.notifier.stop()
        self.start()


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
    stack.configure_alertmanager(slack.port, mail.port, pager=pager)
    file = stack.folder / "alertmanager/alertmanager.yml"
    text = file.read_text("utf-8")
    for times, short in TIMES.items():
        assert times in text
        text = text.replace(times, short)
    file.write_text(text)


def shown(message: dict[str, Any]) -> str:
    (attachment,) = message["attachments"]
    worker = next(field["value"] for field in attachment["fields"] if field["title"] == "Worker")
    return "\n".join((attachment["pretext"], attachment["title"], worker, attachment["text"]))


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
    assert "QUIET: RESOURCE_EXHAUSTED in 20 workers" in fleet.mail[-1] or name != "storm"
