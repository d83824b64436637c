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


async def test_the_moment_that_is_counted_from_leaves_the_span(browser: Browser, service: InProcess) -> None:
    """Numbers and words agree as long as it is in the span. After that, the list shows new errors again."""
    past = dt.datetime.now(dt.UTC) - dt.timedelta(hours=1)
    since = past + dt.timedelta(seconds=6)
    for minutes, worker in ((90, "before"), (30, "w1")):
        await service.post(
            {"worker_id": worker, "timestamp": (dt.datetime.now(dt.UTC) - dt.timedelta(minutes=minutes)).isoformat()}
        )
    page = await browser.new_page()
    await page.add_init_script(
        f"localStorage['error-visualization.counted'] = JSON.stringify({{ since: '{since.isoformat()}', at: 1 }})"
    )
    await opened(page, service, "?range=1&compare=before")
    await total(page, 1)
    await expect(page.locator("#counted")).to_contain_text("Counts since")
    await expect(page.locator("#matching")).to_have_text(re.compile(r"^1 error since (\w+ \d+ \w+, )?\d\d:\d\d$"))
    change = page.locator("[data-card=total_errors] .change")
    await expect(change).to_have_attribute("title", re.compile("against the span before: 1$"))
    await page.evaluate("navigator.clipboard.writeText = async (text) => { window.copied = text; }")
    await page.locator("#span > .span-link").click()
    await page.wait_for_function("window.copied")
    link = await page.evaluate("new URLSearchParams(new URL(copied).search).get('from')")
    assert abs(dt.datetime.fromisoformat(link) - since) < dt.timedelta(seconds=1)
    await page.wait_for_function(
        "at => Date.now() > at", arg=(since + dt.timedelta(hours=1, seconds=0.2)).timestamp() * 1000
    )
    await service.post({"worker_id": "w2"})
    await total(page, 2)
    await expect(page.locator("#counted")).to_be_hidden()
    await expect(page.locator("#matching")).to_have_text("2 errors in the last 1 h")


@pytest.mark.parametrize("counted", [False, True])
async def test_a_span_that_the_service_refuses_is_replaced(browser: Browser, service: InProcess, counted: bool) -> None:
    """The filters stay. The second case is a clock of the reader that is ahead of the service's."""
    await service.post({"worker_id": "w1"})
    later = (dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)).isoformat().replace("+00:00", "Z")
    page = await browser.new_page()
    if counted:
        await page.add_init_script(f"""{{
            const now = Date.now;
            Date.now = () => now() + 7_200_000;
            if (!localStorage.length) localStorage["error-visualization.counted"] = JSON.stringify({{ since: "{later}", at: 1 }});
        }}""")
    await opened(page, service, "?range=6&worker=w1" if counted else f"?from={later}&worker=w1")
    await expect(page.locator("#notice")).to_contain_text("is after the service" if counted else "from: expected")
    await total(page, 1)
    await expect(page).to_have_url(re.compile(r"range=6&worker=w1$" if counted else r"range=24&worker=w1$"))
    await expect(page.locator("#connection")).to_have_attribute("data-state", "live")
