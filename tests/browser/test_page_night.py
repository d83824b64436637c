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

import pytest
from chromium import LONGEST, Browser, needs_chromium
from conftest import eventually
from long_night import (
    AUTUMN,
    BERLIN,
    CRITICAL,
    DAY,
    IGNORED,
    INFO,
    NEW_YORK,
    SPRING,
    STEP,
    WARNING,
    Night,
    counts,
    day_before,
    offset,
    quarter,
    said,
)
from playwright.async_api import Locator, Page, expect
from test_page_sounds_by_event import LISTEN

from exporter.http import pages

pytestmark = [pytest.mark.html, needs_chromium]
LATE = dt.timedelta(seconds=40)
ROWS = """[...document.querySelectorAll('#errors li')].map((row) => [row.querySelector('.worker').textContent,
    row.querySelector('a.message').textContent, row.querySelector('time').textContent, Number(row.dataset.count)])"""


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
    await same(lambda: _says(wall.locator("#wall-clock"), night), True)


async def _says(place: Locator, night: Night) -> bool:
    now = night.clock.now()
    return await place.text_content() in [f"{at.astimezone(BERLIN):%H:%M}" for at in (now - LATE, now, now + LATE)]


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
    await made.open(browser, await serve(), LISTEN)
    yield made
    monkeypatch.undo()
    time.tzset()
    await made.context.close()
    for server in made.servers:
        await server.close()


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
    await check_verdict(night)
    known = "|".join(f"{(night.clock.now() - ago).astimezone(BERLIN):%H:%M}" for ago in (LATE, dt.timedelta()))
    await night.cut()
    await night.until(3.5)
    await expect(night.desk.locator("#doubt")).to_contain_text("the service does not answer")
    await expect(night.desk.locator("#doubt time")).to_have_text(re.compile(f"^Sun.* ({known}):"))  # not in New York's
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
    await desk.get_by_label("Mute with an end").select_option(label="until tomorrow 08:00")
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
