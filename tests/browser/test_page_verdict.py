"""The headline: the verdict of the service, and when it may not be believed any more."""

import datetime as dt
from typing import Any

import pytest
from chromium import Browser, needs_chromium, open_page
from conftest import InProcess
from hearing import LISTEN, heard
from playwright.async_api import Page, expect

pytestmark = [pytest.mark.html, needs_chromium]
INFO = {"error_category": "TEST_FAILURE", "message": "1 != 2", "worker_id": "w3", "type": "AssertionError"}


async def shows(page: Page, colour: str, text: str) -> None:
    await expect(page.locator("#headline")).to_have_attribute("data-colour", colour)
    await expect(page.locator("#verdict")).to_contain_text(text)


async def test_calm_critical_and_the_links_to_look_at_first(browser: Browser, service: InProcess) -> None:
    await service.post(INFO)
    page, complaints = await open_page(browser, service)
    await shows(page, "calm", "Calm: no critical error has been reported yet")
    await expect(page.locator("#doubt")).to_be_empty()
    await service.post({"worker_id": "bad"})
    await shows(page, "critical", ": 1 critical error on bad")
    since = (await service.get("/api/verdict"))["since"]
    await expect(page.locator("#verdict time").first).to_have_attribute("datetime", since)
    at = dt.datetime.fromisoformat(since).astimezone().strftime("%H:%M:%S")
    await expect(page.locator("#verdict time").first).to_have_text(at)  # in the reader's zone
    await page.locator("#look").get_by_role("link", name="its first error, on bad").click()
    await expect(page.locator("#details h2")).to_contain_text("critical")
    assert complaints == []


async def test_a_paused_page_is_grey_and_dated(browser: Browser, service: InProcess) -> None:
    await service.post(INFO)
    page, _ = await open_page(browser, service)
    await shows(page, "calm", "Calm")
    before = await page.locator("#headline").evaluate("e => e.offsetHeight")
    await page.locator("#pause").check()
    await shows(page, "unknown", "Not known now: Calm")
    await expect(page.locator("#doubt")).to_contain_text("the page is paused")
    assert str(dt.datetime.now().astimezone().day) in (await page.locator("#doubt time").text_content() or "")
    assert await page.locator("#headline").evaluate("e => e.offsetHeight") == before  # nothing below moves
    await service.post({"worker_id": "bad"})
    await page.locator("#pause").uncheck()
    await shows(page, "critical", ": 1 critical error on bad")


async def test_green_ends_ten_seconds_after_the_service_said_so(browser: Browser, serve: Any) -> None:
    service: InProcess = await serve()
    await service.post(INFO)
    page = await (await browser.new_context()).new_page()
    await page.clock.install()
    await page.goto(str(service.client.make_url("/error-visualization")))
    await shows(page, "calm", "Calm")
    await service.client.close()
    await page.clock.run_for(8_000)
    await expect(page.locator("#headline")).to_have_attribute("data-colour", "calm")
    await page.clock.run_for(4_000)
    await shows(page, "unknown", "Not known now: Calm")
    await expect(page.locator("#doubt")).to_contain_text("the service does not answer")


async def test_refused_reports_take_the_colour_and_give_it_back(browser: Browser, service: InProcess) -> None:
    await service.post(INFO)
    page, _ = await open_page(browser, service)
    await shows(page, "calm", "Calm")
    service.service.log.refusal = "it is full"
    await shows(page, "unknown", "(the log takes no more); before that, calm: no critical error has been reported yet")
    await expect(page.locator("#verdict strong")).to_contain_text("Reports are refused since")
    await expect(page.locator("#verdict time")).to_have_count(1)
    await expect(page.locator("#doubt")).to_be_empty()  # the service answers
    service.service.log.refusal = ""
    await shows(page, "calm", "Calm")


async def test_a_late_error_is_said_but_makes_no_sound_and_leaves_green(browser: Browser, service: InProcess) -> None:
    await service.post(INFO)
    page = await browser.new_page()
    await page.add_init_script(LISTEN)
    await page.goto(str(service.client.make_url("/error-visualization")))
    await page.locator("#sound-on").click()
    await shows(page, "calm", "Calm")
    at = (dt.datetime.now(dt.UTC) - dt.timedelta(days=3)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    await service.post({"worker_id": "late", "timestamp": at})
    await shows(page, "calm", "; 1 error came in that happened on ")
    await expect(page.locator("#verdict time")).to_have_attribute("datetime", at)
    await service.post({"error_category": "NETWORK_TIMEOUT", "message": "no answer", "type": "Timeout"})
    await heard(page, "warning")  # but no critical error
    await shows(page, "calm", "; 1 error came in")
