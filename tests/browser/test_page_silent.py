"""A worker that fell silent before the chosen span: in the table of workers, in its view, and as a mark on the chart."""

import datetime as dt

import pytest
from chromium import Browser, needs_chromium, open_page
from conftest import InProcess
from playwright.async_api import expect

pytestmark = [pytest.mark.html, needs_chromium]


async def test_a_silent_worker_is_there_whatever_the_span(browser: Browser, service: InProcess) -> None:
    now = dt.datetime.now(dt.UTC)
    await service.post({"worker_id": "crashed", "timestamp": (now - dt.timedelta(minutes=20, seconds=20)).isoformat()})
    later = (now - dt.timedelta(minutes=10)).isoformat().replace("+00:00", "Z")
    page, complaints = await open_page(browser, service, f"?from={later}")
    cells = page.locator("#workers tbody tr", has_text="crashed").locator("td")
    words = ["crashed", "■ silent", "0", "0", "20m ago", "20m ago", "20m ago", "–"]
    await expect(cells).to_have_text(words)
    await expect(page.locator("#by-worker tbody tr")).to_have_count(0)
    await cells.get_by_role("link", name="crashed").click()
    facts = page.locator("#details .facts")
    await expect(facts.locator("dt", has_text="silent since")).to_be_visible()
    await expect(facts.locator("dt:text-is('silent since') + dd")).to_have_text("20m ago")
    await expect(facts.locator("dt:text-is('last critical') + dd")).to_have_text("20m ago")
    await page.goto(str(service.client.make_url("/error-visualization?range=1")))
    mark = page.locator("#over-time a.chart-mark")
    await expect(mark).to_have_count(1)
    await expect(mark).to_contain_text("worker crashed is silent since then")
    assert complaints == []
