"""A night in which the clocks change, in seconds: the service and its clock, two pages in one browser, and what they should show."""

import asyncio
import datetime as dt
import time
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from chromium import LONGEST, Browser
from conftest import REPORT, InProcess
from moved_time import MovedTime
from playwright.async_api import Page, expect
from running import RunningServer

from exporter.app import make_app
from exporter.http import reads as reading
from exporter.service import Service

BERLIN, NEW_YORK = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York")
DAY = dt.timedelta(days=1)
AUTUMN = dt.datetime(2026, 10, 25, 1, tzinfo=dt.UTC)  # 03:00 +02:00 becomes 02:00 +01:00
SPRING = dt.datetime(2027, 3, 28, 1, tzinfo=dt.UTC)  # 02:00 +01:00 becomes 03:00 +02:00
STEP, SHORT = dt.timedelta(minutes=60), dt.timedelta(seconds=2)
# Counts what must not grow: repeated timers and connections.
COUNT = """
window.open = new Set(); window.repeated = new Set();
const Real = WebSocket, start = setInterval, end = clearInterval;
window.WebSocket = class extends Real {
  constructor(...given) { super(...given); window.open.add(this); this.addEventListener("close", () => window.open.delete(this)); }
};
window.setInterval = (...given) => { const id = start(...given); window.repeated.add(id); return id; };
window.clearInterval = (id) => { window.repeated.delete(id); end(id); };
"""
CRITICAL: dict[str, Any] = {}
IGNORED = "w-ignored"  # a worker that the desk excludes
WARNING = {"error_category": "NETWORK_TIMEOUT", "message": "no answer", "worker_id": "w2", "type": "Timeout"}
INFO = {"error_category": "TEST_FAILURE", "message": "1 != 2", "worker_id": "w3", "type": "AssertionError"}


class Night:
    """The service, its clock, and the two pages in one browser."""

    def __init__(self, change: dt.datetime, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(
            "exporter.store.answers.MAX_AGE_SECONDS", -1.0
        )  # their age is monotonic, which is not moved
        monkeypatch.setattr(reading, "max_age", lambda _: 0.0)
        self.change, self.patch = change, monkeypatch
        self.clock = MovedTime(monkeypatch, self.at(-5))
        self.sent: list[tuple[dt.datetime, dict[str, Any]]] = []
        self.complaints: list[str] = []
        self.servers: list[RunningServer] = []

    async def open(self, browser: Browser, service: InProcess, *scripts: str) -> None:
        """Opens both pages, which run `scripts` at their start."""
        self.service, self.live, self.url = service, service.service, service.client.make_url("/")
        await self.post(CRITICAL | {"worker_id": "w-old"}, -28)
        await self.post(INFO | {"worker_id": "w-day"}, -20)
        await self.post(CRITICAL, -5.5)
        self.reset_at = dt.datetime.fromisoformat((await self.service.ask("/api/reset-counts"))["reset_at"])
        self.context = await browser.new_context(
            timezone_id="Europe/Berlin", locale="en-GB", viewport={"width": 1440, "height": 1000}
        )
        await self.context.clock.install(time=self.clock.now())
        for script in (COUNT, *scripts):
            await self.context.add_init_script(script)
        self.desk, self.wall = await self._page(f"worker!={IGNORED}&compare=yesterday"), await self._page("wall")
        await self.desk.bring_to_front()

    async def _page(self, query: str) -> Page:
        page = await self.context.new_page()
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        await page.goto(str(self.url / "error-visualization") + f"?range=24&{query}")
        await expect(page.locator("#connection")).to_have_attribute("data-state", "live", timeout=LONGEST)
        return page

    async def post(self, report: dict[str, Any], hours: float | None = None, zone: dt.tzinfo | None = None) -> None:
        """Reports an error of so many hours from the change, of now if None. With `zone`, its time is in it, without offset."""
        at = self.clock.now() if hours is None else self.at(hours)
        self.sent.append((at, REPORT | report))
        said = at.astimezone(zone).replace(tzinfo=None) if zone else at
        body = REPORT | report | {"timestamp": said.isoformat()}
        async with self.service.client.session.post(self.url / "api/report-error", json=body) as answer:
            assert answer.status == 200, await answer.text()

    def at(self, hours: float) -> dt.datetime:
        return self.change + dt.timedelta(hours=hours)

    async def until(self, at: dt.datetime | float) -> None:
        """Lets the time pass, an hour at once, as for a computer that sleeps now and then."""
        end = at if isinstance(at, dt.datetime) else self.at(at)
        while (left := end - self.clock.now()) > 2 * SHORT:
            await self.forward(min(left, STEP))
        await self.forward(SHORT)

    async def forward(self, by: dt.timedelta) -> None:
        self.clock.move(by)
        self.live.store.outdate()  # the age of an answer that pages share is real time: it would be of an hour ago
        await self.context.clock.fast_forward(int(by.total_seconds() * 1000))
        await asyncio.sleep(0.04)

    async def both(self, state: str) -> None:
        """Waits until both pages are live or lost, with time that passes ten times as fast."""
        for _ in range(100):
            states = [await page.locator("#connection").get_attribute("data-state") for page in (self.desk, self.wall)]
            if states == [state, state]:
                return
            await self.forward(SHORT)
            await asyncio.sleep(0.16)
        raise AssertionError(states)

    async def cut(self) -> None:
        """The network goes: what is asked fails, and connections end."""
        await self.context.set_offline(True)
        for client in list(self.live.live.clients):
            await client.socket.close()
        await self.both("lost")

    async def back(self) -> None:
        await self.context.set_offline(False)
        await self.both("live")

    async def stop(self) -> None:
        await (self.servers[-1] if self.servers else self.service.client.server).close()
        await self.both("lost")

    async def start(self, zone: dt.tzinfo | None = None) -> None:
        """Starts another service on the same database, at the same address, perhaps in another zone."""
        if zone:
            self.patch.setenv("TZ", str(zone))
            time.tzset()
        self.live = Service(self.service.service.settings, process=False)
        self.servers.append(RunningServer(make_app(self.live), port=self.url.port))
        await self.servers[-1].start_server()

    async def ask(self, path: str) -> Any:
        async with self.service.client.session.get(self.url / path) as answer:
            return (await answer.json())["data"]

    def seen(self, *without: str) -> list[tuple[dt.datetime, dict[str, Any]]]:
        """What is in the last 24 h, newest first."""
        since = self.clock.now() - DAY
        seen = [(at, report) for at, report in self.sent if at >= since and report["worker_id"] not in without]
        return sorted(seen, key=lambda one: one[0], reverse=True)

    def yesterday(self) -> list[dt.datetime]:
        """When there were errors at the same hours yesterday."""
        begin, end = (day_before(at) for at in (self.clock.now() - DAY, self.clock.now()))
        return [at for at, _ in self.sent if begin <= at < end]


def offset(local: dt.datetime) -> str:
    """The offset of a time that comes twice."""
    twice = local.replace(fold=0).utcoffset() > local.replace(fold=1).utcoffset()  # type: ignore[operator]
    return f" {local.isoformat()[-6:]}" if twice else ""


def said(at: dt.datetime, now: dt.datetime) -> str:
    """A time as the list shows it."""
    local = at.astimezone(BERLIN)
    if local.date() == now.astimezone(BERLIN).date():
        return f"{local:%H:%M:%S}{offset(local)}"
    return f"{local.day} {local:%b}, {local:%H:%M}{offset(local)}"


def day_before(at: dt.datetime) -> dt.datetime:
    """When the clock showed the same, a day before."""
    return (at.astimezone(BERLIN) - DAY).astimezone(dt.UTC)


def quarter(at: dt.datetime) -> dt.datetime:
    return dt.datetime.fromtimestamp(at.timestamp() // 900 * 900, dt.UTC)


def counts(seen: list[tuple[dt.datetime, dict[str, Any]]]) -> list[str]:
    kinds = [report["error_category"] for _, report in seen]
    return [str(kinds.count(kind)) for kind in ("RESOURCE_EXHAUSTED", "NETWORK_TIMEOUT", "TEST_FAILURE")]
