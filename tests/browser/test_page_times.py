"""Times that were not believed, workers in a wrong time zone, and imports, on the page."""

import datetime as dt
import re
from typing import Any

import pytest
from chromium import Browser, listed, needs_chromium, open_page
from conftest import REPORT, InProcess
from hearing import heard, listen
from playwright.async_api import expect
from test_page_accessibility import AXE, violations

pytestmark = [pytest.mark.html, needs_chromium]
ZERO = "0001-01-01T00:00:00Z"
SAID = f"reported as {ZERO}, counted at its receipt"


def off(hours: float) -> str:
    return (dt.datetime.now(dt.UTC) + dt.timedelta(hours=hours)).replace(tzinfo=None).isoformat()


async def test_a_time_that_was_not_believed_is_marked_and_explained(browser: Browser, service: InProcess) -> None:
    await service.post({"timestamp": ZERO, "worker_id": "unset"})
    await service.post({"worker_id": "well", "message": "other"})
    page, complaints = await open_page(browser, service)
    await listed(page, 2)
    marked = page.locator("#errors li").filter(has_text="unset").get_by_role("img", name=SAID)
    await expect(marked).to_be_visible()
    await expect(marked).to_have_attribute("title", SAID)
    await expect(page.locator("#errors .counted")).to_have_count(1)
    await page.locator("#errors li").filter(has_text="unset").locator("a.message").click()
    details = page.locator("#details")
    await expect(details.locator(".reported")).to_have_text(SAID)
    await expect(details.get_by_role("heading", name="Warnings")).to_be_visible()
    await expect(details.locator(".warnings li")).to_have_count(1)
    await expect(details.locator(".warnings li")).to_contain_text("is more than 7 days before the receipt")
    await page.keyboard.press("Escape")
    await page.locator("#errors li").filter(has_text="well").locator("a.message").click()
    await expect(details.locator(".facts")).to_contain_text("well")
    await expect(details.locator(".reported")).to_have_count(0)
    await expect(details.get_by_role("heading", name="Warnings")).to_have_count(0)
    assert complaints == []


async def test_workers_in_a_wrong_zone_are_named_until_they_are_right(browser: Browser, serve: Any) -> None:
    service: InProcess = await serve(timezone="UTC")
    page, _ = await open_page(browser, service)
    clocks = page.get_by_role("list", name="Workers in a wrong time zone")
    await expect(page.locator("#clocks")).to_be_hidden()
    for worker in ("a", "b", "<b>c</b>", "d", "e"):
        for _ in range(5):
            await service.post({"worker_id": worker, "timestamp": off(-2)})
    await expect(clocks.get_by_role("listitem")).to_have_count(4)
    await expect(clocks.get_by_role("listitem").nth(2)).to_contain_text(
        "<b>c</b> sends times without an offset that are 2 h behind: set its time zone"
    )
    await expect(clocks.get_by_role("listitem").last).to_have_text("and 2 more workers")
    for worker in ("a", "b", "<b>c</b>", "d", "e"):
        await service.post({"worker_id": worker, "timestamp": off(0)})
    await expect(page.locator("#clocks")).to_be_hidden()


async def test_an_import_makes_no_sound_and_interrupts_nobody(browser: Browser, service: InProcess) -> None:
    page, _ = await open_page(browser, service)
    await expect(page.locator("#connection")).to_have_attribute("data-state", "live")
    await listen(page)
    await page.locator("#sound-on").click()
    await expect(page.locator("#sound-on")).to_be_hidden()
    old = (dt.datetime.now(dt.UTC) - dt.timedelta(hours=2)).isoformat()
    async with service.client.post("/api/report-error?import=true", json=REPORT | {"timestamp": old}) as response:
        assert response.status == 200
    await listed(page, 1)
    await expect(page.locator("[data-card=critical_errors] .count")).to_have_text("1")
    await expect(page.locator("#assertive")).to_be_empty()
    await heard(page)
    await service.post({"worker_id": "live"})
    await heard(page, "critical")
    await expect(page.locator("#assertive")).to_contain_text("Critical error on live")
    await page.locator("#errors li").last.locator("a.message").click()
    await expect(page.locator("#details .facts")).to_contain_text("imported")


@pytest.mark.skipif(not AXE.exists(), reason="axe-core is not installed (make test installs it)")
@pytest.mark.parametrize(("theme", "width"), [("light", 1280), ("dark", 360)])
async def test_no_violation(browser: Browser, serve: Any, theme: str, width: int) -> None:
    service: InProcess = await serve(timezone="UTC")
    for _ in range(5):
        answer = await service.post({"worker_id": "gpu-node-3", "timestamp": off(2)})
    page, _ = await open_page(browser, service, color_scheme=theme, viewport={"width": width, "height": 900})
    await expect(page.locator("#clocks li")).to_have_count(1)
    await expect(page.locator("#errors .counted").first).to_be_visible()
    assert await violations(page) == []
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await page.locator("#errors a.message").first.click()
    await expect(page.locator("#details .warnings li")).to_have_count(len(answer["warnings"]))
    assert await violations(page, "'#details'") == []


@pytest.mark.parametrize(
    ("locale", "clock", "day"),
    [
        ("de-DE", r"\d\d:\d\d", r"\d\d? [A-Z][a-z]{2},? \d\d:\d\d"), ("en-US", r"\d\d?:\d\d [AP]M", r"[A-Z][a-z]{2} \d\d?, \d\d?:\d\d [AP]M"),
        ("ja-JP", r"\d\d:\d\d", r"[A-Z][a-z]{2} \d\d?, \d\d:\d\d"),
    ],
)  # fmt: skip
async def test_words_are_english_and_the_clock_is_the_readers(
    browser: Browser, service: InProcess, locale: str, clock: str, day: str
) -> None:
    page, complaints = await open_page(
        browser, service, "?range=168", locale=locale, viewport={"width": 1440, "height": 900}
    )
    await service.post({"worker_id": "now"})
    await service.post(
        {"worker_id": "old", "message": "other", "timestamp": off(-30) + "Z", "error_category": "TEST_FAILURE"}
    )
    await listed(page, 2)
    for worker, text in (("now", clock.replace(r":\d\d", r":\d\d:\d\d", 1)), ("old", day)):
        time = page.locator("#errors li").filter(has_text=worker).locator("time")
        await expect(time).to_have_text(re.compile(f"^{text}$".replace(" ", r"\s")))
        assert await time.evaluate("(made) => made.offsetHeight") <= 24  # one line
    await expect(page.locator("#workers tbody")).to_contain_text(re.compile(r"\d+ ?(d|h|m|min|s|sec) ago"))
    shown = await page.locator("body").inner_text()
    assert not re.search(r"\bvor \d|\d+[年月日分秒]|[曜前]|Uhr", shown), shown
    assert complaints == []
