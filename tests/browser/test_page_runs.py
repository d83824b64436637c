"""What the page shows of runs, tests and devices, in a real Chromium."""

import re

import pytest
from chromium import Browser, listed, needs_chromium, open_page
from conftest import InProcess
from playwright.async_api import Page, expect

pytestmark = [pytest.mark.html, needs_chromium]
RUN = {"id": "nightly/7", "job": "nightly", "user": "ada", "url": "https://ci.example/7"}
FAILED = {
    "run": RUN, "test": {"id": "t::bad[<b>]", "outcome": "failed", "attempt": 2, "duration": 1.23456},
    "devices": [{"kind": "gpu", "uuid": "GPU-1"}, {"kind": "nic", "pci": "0000:5E:00.0"}],
}  # fmt: skip


async def ranked(page: Page, name: str, wanted: list[str]) -> None:
    """Waits until the rows of a ranking begin with these texts, in any order: errors of the same moment have none. An update
    may draw it again while it is read, so each row is read at once."""
    rows = page.locator(f"#ranked-{name} tbody tr")
    await expect(rows).to_have_count(len(wanted))
    for text in wanted:
        await expect(rows.filter(has_text=re.compile(f"^{re.escape(text)}"))).to_have_count(1)


async def test_rankings_details_filters_and_live_updates(browser: Browser, service: InProcess) -> None:
    await service.post({"worker_id": "w9", "message": "of no run"})
    page, complaints = await open_page(browser, service)
    await listed(page, 1)
    await expect(page.locator("#rankings-panel")).to_be_hidden()
    await expect(page.locator("select[data-filter=job]")).to_be_hidden()

    await service.post(FAILED)
    await service.post(
        FAILED | {"worker_id": "w2", "run": {"id": "other", "url": "javascript:alert(1)"}, "devices": ["GPU-1"]}
    )
    tests = {"gw0": {"passed": ["t::good"], "failed": ["t::bad[<b>]"]}}
    await service.ask("/api/runs", {"run": RUN, "worker_id": "ctl", "workers": tests})
    await page.reload()
    await ranked(page, "test", ["t::bad[<b>]21 of 1 (100 %)2"])
    await ranked(page, "run", ["other11", "nightly/711 of 2 (50 %)1"])
    await ranked(page, "device", ["GPU-1222", "w"])

    await page.locator("#ranked-device").get_by_role("link", name="GPU-1").click()
    await listed(page, 2)
    await page.wait_for_url("**?range=24&device=GPU-1")
    await service.post(FAILED | {"worker_id": "w3", "devices": ["GPU-9"]})  # left out
    await service.post(FAILED | {"worker_id": "w4"})
    await listed(page, 3)
    await page.get_by_role("button", name="Remove the filter device GPU-1").click()
    await listed(page, 5)
    await page.locator("[data-filter=job]").select_option("nightly")
    await listed(page, 3)

    await page.locator("#errors a.message").first.click()
    details = page.locator("#details")
    await expect(details.get_by_role("link", name="open the run ↗")).to_have_attribute("href", "https://ci.example/7")
    await expect(details.get_by_text("failed, attempt 2, 1.235 s")).to_be_visible()
    await expect(details.get_by_role("cell", name="0000:5E:00.0")).to_be_visible()
    await details.get_by_role("link", name="t::bad[<b>]").click()
    await details.get_by_role("link", name="Filter the page by this test").click()
    await listed(page, 4)
    assert complaints == []


async def test_only_an_address_of_the_web_is_a_link(browser: Browser, service: InProcess) -> None:
    id_ = (await service.post({"run": {"id": "r", "url": "javascript:alert(1)"}}))["id"]
    page, complaints = await open_page(browser, service, f"?error={id_}")
    details = page.locator("#details")
    await expect(details.get_by_text("javascript:alert(1)").first).to_be_visible()
    assert await details.locator("a[href^=javascript]").count() == 0
    assert complaints == []


async def test_the_page_filters_by_the_values_that_the_service_stores(browser: Browser, service: InProcess) -> None:
    run, test = "a\nb\u00a0c\u200b ", "\U0001f600" * 1_100
    await service.post({"run": {"id": run}, "test": test})
    page, _ = await open_page(browser, service)
    (error,) = (await service.get("/api/errors/list"))["errors"]
    of = await page.evaluate(
        "async error => (await import('/static/origin.js')).origin(error)",
        error,
    )
    (ranked,) = (await service.get("/api/rankings?by=run"))["values"]
    assert of["run"] == ranked["name"] == "a b c"
    (ranked,) = (await service.get("/api/rankings?by=test"))["values"]
    assert of["test"] == ranked["name"]
