"""The section "Machines now", and how hardware is now."""

import datetime as dt
from typing import Any

import pytest
from chromium import Browser, needs_chromium
from conftest import InProcess
from playwright.async_api import Page, expect
from test_page_accessibility import AXE, violations

pytestmark = [pytest.mark.html, needs_chromium]
BEAT: dict[str, Any] = {
    "worker_id": "node-7", "interval": 15, "problems": ["NVML hangs at GPU 1"],
    "system_context": {"metrics": {"cpu": {"percent": 12.4}, "memory": {"used_percent": 71.0}, "disk": {"used_percent": "full"}}},
    "gpus": [{"index": 0, "uuid": "GPU-1", "temperature": 84, "utilization": 97, "throttle_reasons": ["hardware thermal"]}, {"index": 1, "lost": True}],
}  # fmt: skip
NASTY = {
    "worker_id": "<b>x</b>", "gpus": {"a": 1}, "problems": "no", "system_context": {"metrics": {"cpu": []}},
}  # fmt: skip
NO_TEXT = {"toString": 1}
NASTIER = {
    "worker_id": "__proto__", "system_context": None, "problems": [NO_TEXT, None],
    "gpus": [None, {"index": NO_TEXT, "name": NO_TEXT, "throttle_reasons": [NO_TEXT]}],
}  # fmt: skip


async def opened(browser: Browser, service: InProcess) -> Page:
    page = await browser.new_page()
    await page.goto(str(service.client.make_url("/error-visualization")))
    await expect(page.locator("#connection")).to_have_attribute("data-state", "live")
    return page


async def look(page: Page) -> None:
    await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


async def test_machines_come_with_their_first_heartbeat(browser: Browser, service: InProcess) -> None:
    page = await opened(browser, service)
    await expect(page.locator("#machines-panel")).to_be_hidden()
    await service.ask("/api/heartbeat", BEAT)
    await look(page)
    card = page.locator("#machines > li")
    await expect(card).to_contain_text("node-7")
    for text in (
        "● heard",
        "12 %",
        "71 %",
        "84 °C",
        "throttled: hardware thermal",
        "GPU 1 ▲ lost",
        "NVML hangs at GPU 1",
    ):
        await expect(card).to_contain_text(text)
    await expect(card).not_to_contain_text("full")
    await expect(page.locator("#machines-count")).to_have_text("1 machine heard")


async def test_silent_machines_come_first(browser: Browser, serve: Any) -> None:
    service = await serve(silent_after=1)
    await service.ask("/api/heartbeat", {"worker_id": "z-gone", "interval": 0.1})
    page = await opened(browser, service)
    await page.wait_for_timeout(1_100)
    await service.ask("/api/heartbeat", BEAT)
    await service.ask("/api/heartbeat", {"worker_id": "off", "stopping": True})
    await look(page)
    await expect(page.locator("#machines-count")).to_have_text("1 machine silent · 1 machine heard · 1 stopped")
    await expect(page.locator("#machines > li h3 a")).to_have_text(["z-gone", "node-7", "off"])
    if AXE.exists():
        assert await violations(page, "'#machines-panel'") == []


async def test_hardware_is_shown_as_it_is_now_not_as_it_was_in_the_span(browser: Browser, service: InProcess) -> None:
    info = {"error_category": "TEST_FAILURE", "message": "1 != 2", "type": "AssertionError"}
    # type, minutes since its critical error, whether its worker reported something else since then
    for name, minutes, reported in (("broken", 1, False), ("gone", 20, False), ("well", 180, True)):
        at = (dt.datetime.now(dt.UTC) - dt.timedelta(minutes=minutes)).isoformat()
        hardware = {"hardware_context": {"hardware_type": name}}
        await service.post({"worker_id": name, "timestamp": at} | hardware)
        if reported:
            await service.post({"worker_id": name} | hardware | info)
    page = await opened(browser, service)
    for name, now in (("broken", "▲ critical"), ("gone", "■ silent"), ("well", "● stable")):
        card = page.locator("#hardware > li", has=page.get_by_role("link", name=name, exact=True))
        await expect(card.locator("h3 .severity")).to_have_text(now)


async def test_whatever_a_heartbeat_has_is_text(browser: Browser, service: InProcess) -> None:
    await service.ask("/api/heartbeat", NASTY)
    await service.ask("/api/heartbeat", NASTIER)
    page = await opened(browser, service)
    await expect(page.locator("#machines > li h3").first).to_contain_text("<b>x</b>")
    await expect(page.locator("#machines > li").last).to_contain_text("GPU ?")
    assert await page.locator("#machines b").count() == 0
