"""The page without sound, notifications, clipboard or storage; and marks, counts, notices and empty states."""

import datetime as dt
import re
from typing import Any

import pytest
from aiohttp import web
from chromium import Browser, listed, needs_chromium, open_page
from conftest import REPORT, InProcess
from playwright.async_api import expect

from exporter.http import reads
from exporter.http.representation import response_to
from exporter.ingest.severity import Thresholds

pytestmark = [pytest.mark.html, needs_chromium]
INFO = {"error_category": "TEST_FAILURE", "message": "1 != 2", "worker_id": "w3", "type": "AssertionError"}
BROKEN = """
delete window.AudioContext;
for (const [name, value] of [["muted", "true"], ["volume", '"x"'], ["notifications", "true"], ["keys", "{"], ["theme", "7"]])
  localStorage.setItem(`error-visualization.${name}`, value);
window.Notification = class { static permission = "granted"; constructor() { throw new TypeError("Illegal constructor"); } };
Object.defineProperty(navigator, "clipboard", { value: undefined });
"""


async def test_it_starts_without_sound_notifications_clipboard_and_with_junk_in_the_storage(
    browser: Browser, service: InProcess
) -> None:
    context = await browser.new_context()
    await context.add_init_script(BROKEN)
    page = await context.new_page()
    uncaught: list[str] = []
    page.on("pageerror", lambda error: uncaught.append(str(error)))
    await page.goto(str(service.client.make_url("/error-visualization")))
    await expect(page.locator("#connection")).to_have_attribute("data-state", "live")
    await page.locator("#how").get_by_role("button", name="Copy").click()
    await expect(page.locator("#how").get_by_role("button")).to_have_text("Copied")
    await page.evaluate("Object.defineProperty(document, 'hidden', {value: true, configurable: true})")
    await service.post()
    await expect(page).to_have_title("(1) Errors")
    await expect(page.locator("[data-card=total_errors] .count")).to_have_text("1")
    await page.locator("#q").focus()
    await page.keyboard.press("Control+V")
    await expect(page.locator("#q")).to_have_value(re.compile("^curl -X POST"))
    await page.locator("#errors a.message").click()
    await page.locator("#details").get_by_role("button", name="Copy the link").click()
    await expect(page.locator("#details").get_by_role("button", name="Copied")).to_be_focused()
    await page.keyboard.press("Escape")
    await page.locator("#q").focus()
    await page.keyboard.press("Control+A")
    await page.keyboard.press("Control+V")
    await expect(page.locator("#q")).to_have_value(re.compile(r"^http://.*\?from=.*Z&to=.*Z&error=1$"))
    assert uncaught == []
    await context.close()


async def test_mute_is_seen_and_said_and_keys_work_after_a_click(browser: Browser, service: InProcess) -> None:
    await service.post()
    page, _ = await open_page(browser, service)
    mute = page.locator("#mute")
    await expect(mute).to_have_attribute("aria-pressed", "false")
    await page.locator("#pause").click()
    await page.keyboard.press("m")  # the focus is on a checkbox, which does not use letter keys
    await expect(mute).to_have_attribute("aria-pressed", "true")
    await expect(mute).to_have_text("Muted")
    await expect(page.locator("#polite")).to_have_text("Sound is muted")
    await page.keyboard.press("p")
    await expect(page.locator("#pause")).not_to_be_checked()
    await page.get_by_text("Settings").click()
    await expect(page.locator("#mute-all")).to_be_checked()
    await mute.click()
    await expect(page.locator("#mute-all")).not_to_be_checked()
    await page.keyboard.press("m")
    await page.reload()
    await expect(mute).to_have_text("Muted")


async def test_values_that_a_reason_speaks_of_are_marked(browser: Browser, serve: Any) -> None:
    service = await serve(thresholds=Thresholds(critical_cpu_percent=50, warning_gpu_celsius=60))
    metrics = {"cpu": {"percent": 55}, "memory": {"used_percent": 10},
               "disk": {"used_percent": 50, "free_gb": 10, "total_gb": 1000}}  # fmt: skip
    gpus = [{"index": 0, "name": "hot", "temperature": 61}, {"index": 1, "name": "cool", "temperature": 60},
            {"index": 2, "name": "blank", "temperature": 2147483632}]  # fmt: skip
    sent = {"system_context": {"metrics": metrics, "gpu_metrics": {"devices": gpus}}}
    id_ = (await service.post(INFO | sent))["id"]
    page, _ = await open_page(browser, service, f"?error={id_}")
    marked = page.locator("#details tr.over")
    await expect(marked).to_have_count(3)
    assert await marked.evaluate_all("rows => rows.map(row => row.textContent)") == [
        "cpu percent55 ▲ over the threshold: CPU 55 % > 50 %",
        "disk free gb10 ▲ below the threshold: free disk 1 % < 5 %",
        "0hot61 ▲ over 60 °C",
    ]


async def test_a_count_that_is_not_the_whole_says_so(browser: Browser, service: InProcess) -> None:
    flood = [REPORT | {"message": f"Failed to allocate {n} bytes"} for n in range(1100)]
    async with service.client.post("/api/report-errors", json=flood) as response:
        assert response.status == 200
    page, _ = await open_page(browser, service)
    await expect(page.locator("#errors .count")).to_have_text("×1000+")
    await page.locator("#older").click()
    await expect(page.locator("#errors .count")).to_have_text("×1100")


async def test_a_reset_is_seen_and_its_notice_goes(browser: Browser, service: InProcess) -> None:
    await service.post()
    page = await (await browser.new_context()).new_page()
    await page.clock.install()
    await page.goto(str(service.client.make_url("/error-visualization")))
    await listed(page, 1)
    await expect(page.locator("#since")).to_be_hidden()
    await page.get_by_text("Settings").click()
    await page.locator("#reset").click()
    await page.get_by_role("button", name="Reset", exact=True).click()
    await expect(page.locator("#notice")).to_contain_text("Nothing was deleted")
    await expect(page.locator("#since")).to_contain_text("0 critical since the counts were reset")
    await service.post({"worker_id": "w2"})
    await expect(page.locator("#since")).to_contain_text("1 critical since the counts were reset")
    await page.clock.run_for(11_000)
    await expect(page.locator("#notice")).to_be_hidden(timeout=5_000)


async def test_where_there_is_nothing_it_is_calm_and_offers_more(browser: Browser, service: InProcess) -> None:
    page, _ = await open_page(browser, service, "?range=1")
    await expect(page.locator("#empty")).to_contain_text("Report one like this")
    for panel in ("#over-time", "#by-category", "#patterns", "#workers", "#hardware", "#filters"):
        await expect(page.locator(panel)).to_be_hidden()
    past = dt.datetime.now(dt.UTC) - dt.timedelta(hours=3)
    await service.post({"timestamp": past.isoformat()})
    await page.reload()
    await expect(page.locator("#empty")).to_contain_text("No errors in the last 1 h")
    await expect(page.locator("#how")).to_be_hidden()
    await page.get_by_role("button", name="Show the last 7 days").click()
    await listed(page, 1)
    await expect(page.locator("#workers")).to_be_visible()
    await expect(page.locator("[data-card=critical_errors] .count")).to_have_class("count critical")
    await expect(page.locator("[data-card=warning_errors] .count")).not_to_have_class("count warning")


async def test_the_bar_of_a_category_that_turns_text_around(browser: Browser, service: InProcess) -> None:
    category = "\u202eEGATUO\u202c_A"
    await service.post({"error_category": category})
    page, _ = await open_page(browser, service)
    await expect(page.locator("#by-category svg path").first).to_be_attached()
    labels = await page.locator("#by-category svg text").all_text_contents()
    assert not any("\u202e" in label for label in labels)
    await page.locator("#by-category").scroll_into_view_if_needed()
    box = await page.locator("#by-category .picture").bounding_box()
    assert box
    await page.mouse.click(box["x"] + 220, box["y"] + 50)
    await expect(page.locator("#chips")).to_have_text(f"category is {category} ×")
    await listed(page, 1)


async def test_what_fell_out_of_a_full_list_comes_back(browser: Browser, service: InProcess) -> None:
    """All errors have the same millisecond, in another order than their ids: only the service can sort by microseconds."""
    moment = dt.datetime.now(dt.UTC).replace(microsecond=500_000) - dt.timedelta(minutes=1)
    flood = [
        REPORT | {"timestamp": (moment + dt.timedelta(microseconds=999 - number)).isoformat()} for number in range(1000)
    ]
    async with service.client.post("/api/report-errors", json=flood) as response:
        assert response.status == 200
    page, complaints = await open_page(browser, service)
    await listed(page, 1000)
    for _ in range(40):
        await service.post()
    await expect(page.locator("#errors .count")).to_have_text("×1000+")
    await expect(page.locator("[data-card=total_errors] .count")).to_have_text("1,040")
    older, counted = page.locator("#older"), page.locator("#errors .count")
    for _ in range(100):
        if await counted.text_content() == "×1040" and not await older.is_visible():
            break
        await older.evaluate("button => button.hidden || button.click()")  # it may go while a mouse would aim at it
        await page.wait_for_timeout(50)
    await expect(counted).to_have_text("×1040")
    await expect(older).to_be_hidden()
    assert complaints == []


async def test_a_live_update_is_filtered_by_its_groups(browser: Browser, service: InProcess) -> None:
    await service.post({"worker_id": "old"})
    page, complaints = await open_page(browser, service, "?group=resource&group=hardware")
    await listed(page, 1)
    await service.post({"worker_id": "no", "error_category": "NETWORK_X"})
    await service.post({"worker_id": "by-category", "error_category": "resource_leak"})
    hot = {"hardware_context": {"hardware_status": {"overheating": True}}}
    await service.post({"worker_id": "by-status", "error_category": "TEST_X"} | hot)
    await listed(page, 3)
    assert await page.locator("#errors .worker").all_text_contents() == ["by-status", "by-category", "old"]
    assert complaints == []


async def test_an_answer_that_the_browser_has_is_not_sent_again(
    browser: Browser, service: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page does not notice: for it, the answer is complete. Only the requests of this test are counted, by their time
    range: the page reads the facets of its own range after it is live, and may get them at any time."""
    asked_here = "/api/errors/facets?time_range=6"
    monkeypatch.setattr("exporter.store.answers.MAX_AGE_SECONDS", 60.0)
    statuses: list[int] = []

    async def noted(request: web.Request, *asked: Any, **more: Any) -> Any:
        response = await response_to(request, *asked, **more)
        if request.path_qs == asked_here:
            statuses.append(response.status)
        return response

    await service.post()
    page, complaints = await open_page(browser, service)
    await listed(page, 1)
    monkeypatch.setattr(reads, "response_to", noted)
    ask = f"fetch('{asked_here}').then(async (one) => [one.status, (await one.json()).data])"
    first, again = await page.evaluate(ask), await page.evaluate(ask)
    assert statuses == [200, 304]
    assert first == again
    assert first[0] == 200
    await service.post()
    assert (await page.evaluate(ask))[1]["severity"][0]["count"] == 2
    assert complaints == []
