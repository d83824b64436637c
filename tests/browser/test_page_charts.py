"""The page's charts: drawn by the bundled library, and readable as tables without it."""

from typing import Any

import pytest
from chromium import Browser, listed, needs_chromium, open_page
from conftest import InProcess
from playwright.async_api import Page, expect
from test_overview import load, reports

pytestmark = [pytest.mark.html, needs_chromium]
CHARTS = {
    "over-time": "errors over time",
    "by-category": "errors by category",
    "pattern-categories": "patterns by category",
    "by-worker": "errors by worker",
    "by-hardware": "errors an hour by hardware",
}


async def drawn(page: Page, chart: str) -> None:
    await expect(page.locator(f"#{chart} svg path").first).to_be_attached()


async def rows(page: Page, chart: str) -> dict[str, list[str]]:
    """The numbers of a chart's table, by label."""
    table = await page.locator(f"#{chart} tbody tr").evaluate_all(
        "rows => rows.map(r => [...r.cells].map(c => c.textContent))"
    )
    return {label: numbers for label, *numbers in table}


async def as_table(page: Page, chart: str) -> dict[str, list[str]]:
    await drawn(page, chart)
    await page.get_by_role("button", name=f"{CHARTS[chart]} as table").click()
    await expect(page.locator(f"#{chart} .picture svg")).to_be_hidden()
    return await rows(page, chart)


async def test_every_chart_is_drawn_described_and_a_table(browser: Browser, service: InProcess) -> None:
    await load(service, reports(200, 20))
    page, complaints = await open_page(browser, service)
    data = await service.get("/api/errors")
    for chart, title in CHARTS.items():
        await drawn(page, chart)
        picture = page.locator(f"#{chart} [role=img]")
        assert (await picture.get_attribute("aria-label") or "").startswith(f"Chart of {title}: ")
        assert await page.locator(f"#{chart} canvas").count() == 0
    tables = {chart: await as_table(page, chart) for chart in CHARTS}
    assert tables["by-category"] == {
        row["category"]: [str(row["count"])] for row in data["error_distribution"]["categories"][:10]
    }
    assert tables["by-worker"] == {
        row["worker_id"]: [str(row["critical_errors"]), str(row["error_count"] - row["critical_errors"])]
        for row in data["worker_errors"]["worker_stats"][:10]
    }
    assert tables["pattern-categories"] == {
        row["category"]: [str(row["recurring_patterns"]), str(row["patterns"] - row["recurring_patterns"])]
        for row in data["error_patterns"]["categories"][:10]
    }
    for name, row in data["hardware_errors"]["hardware_status"].items():
        assert float(tables["by-hardware"][name][0]) == pytest.approx(row["error_rate"], abs=0.006)
    points = data["error_distribution"]["time_series"]["points"]
    critical = [int(numbers[0]) for numbers in tables["over-time"].values()]
    assert sum(critical) == sum(point["critical"] for point in points)
    await page.reload()
    await expect(page.locator("#over-time tbody")).to_be_visible()  # the choice is kept
    assert complaints == []


async def test_a_bar_filters(browser: Browser, service: InProcess) -> None:
    for number in range(3):
        await service.post({"worker_id": f"w{number}"})
    page, _ = await open_page(browser, service)
    await drawn(page, "by-category")
    await page.locator("#by-category").scroll_into_view_if_needed()
    box = await page.locator("#by-category .picture").bounding_box()
    assert box
    await page.mouse.click(box["x"] + 220, box["y"] + 50)
    await expect(page.locator("#chips")).to_contain_text("category is RESOURCE_EXHAUSTED")
    await listed(page, 3)


async def test_severities_differ_by_pattern_and_follow_the_theme(browser: Browser, service: InProcess) -> None:
    await service.post()
    await service.post({"error_category": "NETWORK_TIMEOUT", "message": "late"})
    page, _ = await open_page(browser, service, color_scheme="light")
    await drawn(page, "over-time")
    await expect(page.locator("#over-time svg pattern").nth(1)).to_be_attached()
    await drawn(page, "by-category")
    ink = "[...document.querySelectorAll('#by-category svg path')].map(p => p.getAttribute('fill')).join()"
    light = await page.evaluate(ink)
    await page.emulate_media(color_scheme="dark")
    await page.wait_for_function(f"light => {ink} !== light", arg=light)


async def test_without_the_library_the_tables_are_there(browser: Browser, service: InProcess) -> None:
    await service.post()
    context = await browser.new_context()
    await context.route("**/vendor/**", lambda route: route.abort())
    page = await context.new_page()
    await page.goto(str(service.client.make_url("/error-visualization")))
    await expect(page.locator("#by-category tbody tr")).to_have_count(1)
    await expect(page.locator("#polite")).to_contain_text("charts could not be loaded")
    await context.close()


async def test_the_library_comes_compressed_to_who_takes_it(service: InProcess) -> None:
    sizes: dict[str, Any] = {}
    for encoding in ("gzip", "identity"):
        path = "/static/vendor/echarts.js"
        async with service.client.get(path, headers={"Accept-Encoding": encoding}, auto_decompress=False) as response:
            assert response.status == 200
            assert response.headers["Content-Type"] == "text/javascript"
            sizes[encoding] = len(await response.read())
    assert sizes["gzip"] < sizes["identity"] / 2
