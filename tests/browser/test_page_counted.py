"""A reader's counts start anew: for them alone, in each of their tabs, and with undo."""

import datetime as dt
import re

import pytest
from chromium import Browser, listed, needs_chromium
from conftest import InProcess
from playwright.async_api import Page, expect

pytestmark = [pytest.mark.html, needs_chromium]


async def opened(page: Page, service: InProcess, query: str = "") -> Page:
    await page.goto(str(service.client.make_url(f"/error-visualization{query}")))
    await expect(page.locator("#connection")).to_have_attribute("data-state", "live")
    return page


async def total(page: Page, count: int) -> None:
    await expect(page.locator("[data-card=total_errors] .count")).to_have_text(str(count))
    await listed(page, count)


async def test_counts_start_anew_and_come_back(browser: Browser, service: InProcess) -> None:
    for worker in ("w1", "w2"):
        await service.post({"worker_id": worker})
    context = await browser.new_context()
    page, other = [await opened(await context.new_page(), service) for _ in range(2)]
    stranger = await opened(await browser.new_page(), service)
    await total(page, 2)
    await page.get_by_text("Settings").click()
    await page.locator("#count-anew").click()
    await expect(page.locator("#notice")).to_contain_text("Nothing was deleted")
    for tab in (page, other):
        await expect(tab.locator("#counted")).to_have_text(re.compile(r"Counts since \d\d:\d\d:\d\d Undo"))
        await total(tab, 0)
        await expect(tab.locator("#none")).to_contain_text("No errors since")
    await total(stranger, 2)
    assert (await service.get("/api/errors"))["summary"]["reset_at"] is None
    await service.post({"worker_id": "w3"})
    await total(page, 1)
    await page.get_by_role("link", name="7 d").click()
    await total(page, 1)
    past = (dt.datetime.now(dt.UTC) - dt.timedelta(hours=1)).isoformat().replace("+00:00", "Z")
    await opened(page, service, f"?from={past}")  # a span that was chosen is shown as it is
    await total(page, 3)
    await expect(page.locator("#counted")).to_be_hidden()
    await opened(page, service)
    await total(page, 1)
    await other.locator("#count-undo").click()
    for tab in (page, other):
        await total(tab, 3)
        await expect(tab.locator("#counted")).to_be_hidden()
    await context.close()


async def test_an_undo_leads_back_to_what_was_counted_before(browser: Browser, service: InProcess) -> None:
    page = await opened(await browser.new_page(), service)
    for count in (1, 2):
        await service.post({"worker_id": f"w{count}"})
        await total(page, 1)
        await page.evaluate("document.querySelector('#count-anew').click()")
        await total(page, 0)
    await page.locator("#count-undo").click()
    await total(page, 1)
    await page.locator("#count-undo").click()
    await total(page, 2)
    rows = await page.evaluate("""async () => {
        const { later, within } = await import("/static/counted.js");
        const now = Date.parse("2026-11-26T12:00:00Z"), nine = "2026-11-26T09:00:00Z", state = (more) => ({ range: 6, from: null, to: null, ...more });
        const junk = { since: "<b>", before: 7, at: "x" }, none = { since: null, before: null, at: 0 };
        return [
            within(state({}), nine, now).from === nine, within(state({ range: 1 }), nine, now).from === null,
            within(state({}), null, now).from === null, within(state({ to: nine }), nine, now).from === null,
            within(state({ from: "2026-11-26T01:00:00Z" }), nine, now).from === "2026-11-26T01:00:00Z",
            JSON.stringify(later(junk, {})) === JSON.stringify(none),
            later({ since: nine, before: null, at: 1 }, { since: null, before: null, at: 2 }).since === null,
            later({ since: null, before: null, at: 2 }, { since: nine, before: null, at: 2 }).since === later({ since: nine, before: null, at: 2 }, { since: null, before: null, at: 2 }).since,
        ];
    }""")
    assert all(rows), rows
