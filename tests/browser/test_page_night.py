"""The page is left open for a night in which the clocks change: at the desk and on a wall, both are right in the morning.

The night is a story in hours from the change (01:00 UTC), the same in autumn and in spring:

    -28, -20  errors that the morning compares with            +2     the service starts again, on the same database, in New York
    -5     both pages are opened, sound is muted until 8:00    +2.5   the network is gone again
    -3, -2 midnight in autumn, in spring                       +3.5   it is back
    -0.5, +0.5  errors; in autumn both at 02:30                +4     the service starts again with a new version
    +1     the network is gone, +1.5 back                      8:30   the morning
"""

import asyncio
import contextlib
import datetime as dt
import re
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from aiohttp.test_utils import TestServer
from chromium import LONGEST, Browser, needs_chromium
from conftest import REPORT, InProcess, eventually
from moved_time import MovedTime
from playwright.async_api import Locator, Page, expect
from test_page_sounds_by_event import LISTEN

from exporter.app import make_app
from exporter.http import pages
from exporter.http import reads as reading
from exporter.service import Service

pytestmark = [pytest.mark.html, needs_chromium]
BERLIN, NEW_YORK = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York")
DAY = dt.timedelta(days=1)
AUTUMN = dt.datetime(2026, 10, 25, 1, tzinfo=dt.UTC)  # 03:00 +02:00 becomes 02:00 +01:00
SPRING = dt.datetime(2027, 3, 28, 1, tzinfo=dt.UTC)  # 02:00 +01:00 becomes 03:00 +02:00
STEP, SHORT, LATE = dt.timedelta(minutes=60), dt.timedelta(seconds=2), dt.timedelta(seconds=40)
ROWS = """[...document.querySelectorAll('#errors li')].map((row) => [row.querySelector('.worker').textContent,
    row.querySelector('a.message').textContent, row.querySelector('time').textContent, Number(row.dataset.count)])"""
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
        self.servers: list[TestServer] = []

    async def open(self, browser: Browser, service: InProcess) -> None:
        self.service, self.live, self.url = service, service.service, service.client.make_url("/")
        await self.post(CRITICAL | {"worker_id": "w-old"}, -28)
        await self.post(INFO | {"worker_id": "w-day"}, -20)
        await self.post(CRITICAL, -5.5)
        await self.service.ask("/api/reset-counts")
        self.reset_at = self.clock.now()
        self.context = await browser.new_context(
            timezone_id="Europe/Berlin", locale="en-GB", viewport={"width": 1440, "height": 1000}
        )
        await self.context.clock.install(time=self.clock.now())
        await self.context.add_init_script(LISTEN)
        await self.context.add_init_script(COUNT)
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
        self.servers.append(TestServer(make_app(self.live), port=self.url.port))
        await self.servers[-1].start_server(auto_decompress=False)

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


async def same(look: Callable[[], Any], wanted: Any) -> None:
    """Waits until what is shown is what is wanted."""
    with contextlib.suppress(AssertionError):
        await eventually(lambda: _is(look, wanted), 8)
    assert await look() == wanted


async def _is(look: Callable[[], Any], wanted: Any) -> bool:
    return bool(await look() == wanted)


async def check_desk(night: Night) -> None:
    desk, seen, now = night.desk, night.seen(IGNORED), night.clock.now()
    for card, count in zip(("total", "critical", "warning", "info"), [str(len(seen)), *counts(seen)], strict=True):
        await expect(desk.locator(f"[data-card={card}_errors] .count")).to_have_text(count)
    rows: dict[tuple[str, str], list[str]] = {}
    for at, report in seen:
        rows.setdefault((report["worker_id"], report["message"]), []).append(said(at, now))
    wanted = [[*key, times[0], len(times)] for key, times in rows.items()]
    await same(lambda: desk.evaluate(ROWS), wanted)
    await expect(desk.locator("#news")).to_be_hidden()
    await expect(desk.locator("#matching")).to_have_text(f"{len(seen)} errors in the last 24 h match the filters")
    await expect(desk.locator("#chips")).to_contain_text(f"worker is not {IGNORED}")
    resets = [
        at for at, report in night.sent if at > night.reset_at and report["error_category"] == "RESOURCE_EXHAUSTED"
    ]
    text = f"{len(resets)} critical since the counts were reset, {said(night.reset_at, now)}"
    await expect(desk.locator("#since")).to_have_text(text)


async def check_chart(night: Night) -> None:
    """Each bucket has its errors, and those of the same time yesterday, and says its day and, in the hour that comes twice, its
    offset."""
    desk, buckets, now = night.desk, defaultdict[dt.datetime, list[Any]](list), night.clock.now()
    for one in night.seen(IGNORED):
        buckets[quarter(one[0])].append(one)
    yesterday = [quarter(at) for at in night.yesterday()]
    assert len(yesterday) == 2
    wanted = []
    for start in (quarter(now - DAY) + dt.timedelta(minutes=15 * n) for n in range(97)):
        before, local = yesterday.count(day_before(start)), start.astimezone(BERLIN)
        if buckets[start] or before:
            label = f"{local:%a} {local.day} {local:%b}, {local:%H:%M}{offset(local)}"
            wanted.append([label, *counts(buckets[start]), str(before)])
    change = desk.locator("[data-card=total_errors] .change")
    await expect(change).to_have_attribute("title", re.compile("against the same hours yesterday: 2$"))
    labels = await desk.locator("#over-time svg.axis text").all_text_contents()
    sunday = night.change.astimezone(BERLIN)
    saturday = sunday - dt.timedelta(days=1)
    days = [text for text in labels if text.startswith(("Sat", "Sun"))]
    assert days == [f"{day:%a} {day.day} {day:%b}" for day in (saturday, sunday)], labels
    twice = [text for text in labels if text.startswith(("+", "−"))]
    assert twice == (["+02:00", "+01:00"] if night.change == AUTUMN else []), labels
    times = [text for text in labels if ":" in text and not text.startswith("+")]
    assert times.count("02:00") == (2 if night.change == AUTUMN else 0), labels
    assert len(set(times)) > 5, labels
    await desk.get_by_role("button", name="errors over time as table").click()
    cells = "[...document.querySelectorAll('#over-time tbody tr')].map((row) => [...row.children].map((cell) => cell.textContent))"
    await same(lambda: desk.evaluate(cells), wanted)
    await desk.get_by_role("button", name="errors over time as chart").click()


async def check_wall(night: Night) -> None:
    wall, seen, now = night.wall, night.seen(), night.clock.now()
    critical, warning, _ = counts(seen)
    workers = str(len({report["worker_id"] for _, report in seen}))
    await expect(wall.locator("#wall-numbers dd")).to_have_text([critical, warning, str(len(seen)), workers])
    rows: dict[str, str] = {}
    for at, report in seen:
        if report["error_category"] == "RESOURCE_EXHAUSTED":
            rows.setdefault(report["worker_id"], said(at, now))
    about = "[...document.querySelectorAll('#wall-critical li')].map((row) => [row.querySelector('strong').textContent, row.querySelector('time').textContent])"
    await same(lambda: wall.evaluate(about), [[worker, at] for worker, at in list(rows.items())[:6]])
    clock = [f"{at.astimezone(BERLIN):%H:%M}" for at in (now - LATE, now, now + LATE)]
    await same(lambda: _in(wall.locator("#wall-clock"), clock), True)


async def _in(place: Locator, texts: list[str]) -> bool:
    return await place.text_content() in texts


async def check_verdict(night: Night) -> None:
    """Both pages show what the service says now, and have no doubt."""
    for page in (night.desk, night.wall):

        async def right(page: Page = page) -> bool:
            verdict = await night.ask("api/verdict")
            pieces = [piece["text"] for piece in verdict["pieces"] if not piece.get("time")]
            shown = await page.locator("#verdict").text_content() or ""
            is_same = all(text.strip() in shown for text in pieces)
            colour = await page.locator("#headline").get_attribute("data-colour")
            return is_same and colour == verdict["colour"] and not await page.locator("#doubt").text_content()

        await same(right, True)


async def _sounds(night: Night) -> list[str]:
    return [name for page in (night.desk, night.wall) for name in await page.evaluate("window.heard")]


async def grown(page: Page) -> dict[str, int]:
    """The least of some counts: of a chart that was replaced, the garbage collection may leave a part for the next time."""
    session = await page.context.new_cdp_session(page)
    counts: list[dict[str, int]] = []
    for _ in range(6):
        await session.send("HeapProfiler.collectGarbage")
        counts.append(await session.send("Memory.getDOMCounters"))
        await asyncio.sleep(0.1)
    await session.detach()
    found = min(counts, key=lambda one: one["nodes"])
    more = await page.evaluate("({ open: window.open.size, repeated: window.repeated.size })")
    return {"nodes": found["nodes"], "listeners": found["jsEventListeners"]} | more


async def check_growth(night: Night) -> None:
    """Further hours with further reconnections leave nothing behind."""
    both = (night.desk, night.wall)
    before = [await grown(page) for page in both]
    for _ in range(3):
        await night.cut()
        await night.forward(STEP)
        await night.back()
        await night.forward(STEP)
    await check_desk(night)
    for page, had in zip(both, before, strict=True):
        has = await grown(page)
        assert has["open"] == 1
        assert has["repeated"] == had["repeated"]
        assert has["nodes"] < had["nodes"] * 1.1, (had, has)
        assert has["listeners"] < had["listeners"] * 1.1, (had, has)
    assert night.complaints == []


@pytest.fixture
async def night(
    request: pytest.FixtureRequest, browser: Browser, serve: Any, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Night]:
    made = Night(request.param, monkeypatch)
    await made.open(browser, await serve())
    yield made
    await made.context.close()
    for server in made.servers:
        await server.close()
    monkeypatch.undo()
    time.tzset()


async def through(night: Night) -> None:
    """The night until +4."""
    await night.until(-3.5)
    await night.post(CRITICAL)
    await night.until(-1.5)
    await night.post(WARNING)
    await night.post(CRITICAL | {"worker_id": IGNORED})
    await night.until(-0.5)
    await night.post(CRITICAL | {"worker_id": "w1"})
    await night.until(0.5)
    await night.post(CRITICAL | {"worker_id": "w4"})
    await check_desk(night)
    await night.until(1)
    await night.cut()
    await night.until(1.5)
    await night.post(INFO, 1.25)
    await night.back()
    await night.until(2)
    await night.stop()
    await night.start(NEW_YORK)
    await night.post(CRITICAL | {"worker_id": "w5"}, zone=NEW_YORK)
    await night.until(2.5)
    await night.both("live")
    await check_desk(night)
    await night.cut()
    await night.until(3.5)
    await expect(night.desk.locator("#doubt")).to_contain_text("the service does not answer")
    await night.post(WARNING, 3)
    await night.post(WARNING, 3.2)
    await night.back()
    await night.until(4)


@pytest.mark.parametrize("night", [pytest.param(AUTUMN, id="autumn"), pytest.param(SPRING, id="spring")], indirect=True)
async def test_all_is_right_in_the_morning(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    desk, wall = night.desk, night.wall
    await check_desk(night)
    await desk.locator("#sound-on").click()
    await desk.get_by_text("Settings").click()
    await desk.get_by_label("Mute with an end").select_option(label="until tomorrow 8:00")
    await expect(desk.locator("#mute")).to_have_text("Muted until Sun 08:00")
    await desk.keyboard.press("Escape")
    await desk.mouse.move(1, 1)
    await through(night)
    await check_desk(night)
    await check_wall(night)
    await expect(desk.locator("#mute")).to_have_text("Muted until 08:00")

    await night.stop()
    monkeypatch.setattr(pages, "version", lambda: "2")
    await wall.evaluate("window.old = true")
    await night.start()
    await night.until(4.5)
    await wall.wait_for_function("() => !window.old", timeout=LONGEST)
    await expect(desk.locator("#new-version")).to_be_visible()
    await expect(wall.locator("meta[name=version]")).to_have_attribute("content", "2")
    await night.both("live")
    await night.until(dt.datetime.combine(night.change.date(), dt.time(8, 30), BERLIN))
    await check_desk(night)
    await check_chart(night)
    await check_wall(night)
    await check_verdict(night)
    await expect(desk.locator("#mute")).to_have_text("Mute")
    assert await _sounds(night) == []

    await night.post(CRITICAL | {"worker_id": "w6"})
    for page in (desk, wall):
        await expect(page.locator("#verdict")).to_contain_text("1 critical error on w6")
        await expect(page.locator("#headline")).to_have_attribute("data-colour", "critical")
    # One of the two tabs sounds. Which one is open: for Playwright's clock both were opened at the same moment.
    await eventually(lambda: _sounds(night))
    assert await _sounds(night) == ["critical"]
    await check_desk(night)
    await check_wall(night)

    assert night.complaints == []
    if night.change == AUTUMN:
        await check_growth(night)
