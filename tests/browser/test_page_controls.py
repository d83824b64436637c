"""Every control and panel of the page, in a real Chromium."""

import itertools
import re
from typing import Any

import pytest
from chromium import Browser, all_listed, current, leave_details, listed, needs_chromium, open_page
from conftest import REPORT, InProcess
from hearing import heard, listen
from playwright.async_api import Page, Route, expect

from exporter.demo.fleet import story

pytestmark = [pytest.mark.html, needs_chromium]
WARNING = {
    "error_category": "NETWORK_TIMEOUT",
    "message": "no answer from 10.0.0.1",
    "worker_id": "w2",
    "type": "Timeout",
}
INFO = {"error_category": "TEST_FAILURE", "message": "1 != 2", "worker_id": "w3", "type": "AssertionError"}


async def three(service: InProcess) -> None:
    await service.post({"hardware_context": {"hardware_type": "cuda"}})
    await service.post(WARNING)
    await service.post(INFO)


async def workers(page: Page) -> list[str]:
    return await page.locator("#errors .worker").all_text_contents()


async def test_the_severity_filter_and_its_chip(browser: Browser, service: InProcess) -> None:
    await three(service)
    page, complaints = await open_page(browser, service)
    await page.locator("[data-filter=severity]").select_option("warning")
    await listed(page, 1)
    assert await workers(page) == ["w2"]
    await page.wait_for_url("**&severity=warning")
    await service.post(INFO | {"worker_id": "w8"})
    await service.post(WARNING | {"worker_id": "w9"})  # the filter leaves the error before out
    await listed(page, 2)
    assert await workers(page) == ["w9", "w2"]
    await page.get_by_role("button", name="Remove the filter severity warning").click()
    await listed(page, 5)
    await page.go_back()
    await listed(page, 2)
    await expect(page.locator("[data-filter=severity]")).to_have_value("warning")
    assert complaints == []


async def test_a_category_in_the_address_may_have_any_spelling(browser: Browser, service: InProcess) -> None:
    await three(service)
    page, _ = await open_page(browser, service, "?category=network_Timeout%20")
    await listed(page, 1)
    await expect(page.locator("[data-filter=category]")).to_have_value("NETWORK_TIMEOUT")
    await service.post(INFO)
    await service.post(WARNING | {"error_category": "network_timeout", "worker_id": "w9"})
    await listed(page, 2)
    assert await workers(page) == ["w9", "w2"]


async def test_the_text_filter(browser: Browser, service: InProcess) -> None:
    await three(service)
    page, _ = await open_page(browser, service)
    await page.locator("#q").fill("ANSWER FROM")
    await page.get_by_role("button", name="Search").click()
    await listed(page, 1)
    await page.locator("#q").fill("nothing like it")
    await page.locator("#q").press("Enter")
    await expect(page.locator("#nothing")).to_be_visible()
    await page.get_by_role("button", name="Show all of the last 7 days").click()
    await listed(page, 3)
    await page.wait_for_url("**?range=168")


async def test_the_text_filter_finds_live_updates_by_their_traceback(browser: Browser, service: InProcess) -> None:
    page, _ = await open_page(browser, service, "?q=Test_Login[chrome]")
    await service.post(INFO)
    await service.post(WARNING | {"traceback": "tests/test_ui.py::test_login[CHROME]\n  assert False"})
    await listed(page, 1)
    assert await workers(page) == ["w2"]


async def test_a_search_that_takes_long_goes_on(browser: Browser, service: InProcess) -> None:
    """The service stops each of the first seven pages after a part of the time range, in which it found nothing."""
    await three(service)
    context = await browser.new_context()
    pages = 0

    async def answer(route: Route) -> None:
        nonlocal pages
        pages += 1
        if pages > 7:
            await route.continue_()
            return
        stopped = {
            "errors": [],
            "next_cursor": "4000000000000000.1",
            "searched_since": f"2026-01-08T0{9 - pages}:00:00.000Z",
        }
        await route.fulfill(json={"status": "success", "data": stopped})

    await context.route("**/api/errors/list?**", answer)
    page = await context.new_page()
    await page.goto(str(service.client.make_url("/error-visualization?q=answer")))
    await expect(page.locator("#searched")).to_contain_text("Searched back to")
    await expect(page.locator("#searched")).to_contain_text("nothing found yet")
    await expect(page.locator("#searched time")).to_have_attribute("datetime", "2026-01-08T04:00:00.000Z")
    await expect(page.locator("#nothing")).to_be_hidden()
    await page.get_by_role("button", name="Older errors").click()
    await listed(page, 1)
    await expect(page.locator("#searched")).to_be_hidden()
    await expect(page.locator("#older")).to_be_hidden()
    assert pages == 8
    await context.close()


async def test_a_card_filters(browser: Browser, service: InProcess) -> None:
    await three(service)
    page, _ = await open_page(browser, service)
    await page.locator("[data-card=critical_errors]").click()
    await listed(page, 1)
    await page.locator("[data-card=total_errors]").click()
    await listed(page, 3)


async def test_each_card_filters_what_it_counts(browser: Browser, service: InProcess) -> None:
    reports = [moment.report for moment in itertools.islice(story(4), 150)]
    async with service.client.post("/api/report-errors", json=reports) as response:
        assert response.status == 200
    page, _ = await open_page(browser, service)
    summary = (await service.get("/api/errors"))["summary"]
    for card, group in (
        ("resource_errors", "resource"), ("network_errors", "network"), ("recurring_errors", "recurring"),
        ("critical_hardware_errors", "hardware"), ("warning_errors", ""), ("info_errors", ""),
    ):  # fmt: skip
        await page.locator(f"[data-card={card}]").click()
        await expect(page.locator(f"[data-card={card}]")).to_have_attribute("aria-pressed", "true")
        await expect(page.locator(f"[data-card={card}] .count")).to_have_text(str(summary[card]))
        await all_listed(page, summary[card])
        assert (f"group={group}" in page.url) == bool(group)


async def test_a_filter_tells_what_it_would_give(browser: Browser, service: InProcess) -> None:
    await three(service)
    await service.post(INFO)
    page, _ = await open_page(browser, service)
    for field, value, count in (
        ("category", "NETWORK_TIMEOUT", 1), ("worker", "w3", 2), ("type", "AssertionError", 2), ("hardware", "cuda", 1),
    ):  # fmt: skip
        select = page.locator(f"[data-filter={field}]")
        await expect(select.locator("option", has_text=value)).to_have_text(f"{value} ({count})")
        await select.select_option(value)
        await listed(page, count)
        await page.wait_for_url(f"**&{field}={value}")
        await select.select_option("")
        await listed(page, 4)


async def test_a_panel_shows_and_filters(browser: Browser, service: InProcess) -> None:
    await three(service)
    page, _ = await open_page(browser, service)
    await page.evaluate("window.same = true")
    for row, text, query in (
        ("#workers tbody tr", "w3", "worker=w3"), ("#hardware li", "cuda", "hardware=cuda"),
        ("#patterns tbody tr", "no answer from <*>", "pattern="),
    ):  # fmt: skip
        found = page.locator(row, has_text=text)
        await expect(found).to_have_count(1)
        await found.get_by_role("link").click()
        if row != "#hardware li":  # a name in a table opens a view
            await page.get_by_role("link", name="Filter the page by this").click()
        await listed(page, 1)
        await expect(page).to_have_url(re.compile(query))
        await page.locator("#chips .remove").click()
        await listed(page, 3)
    assert await page.evaluate("window.same")  # the page was not loaded again, so sound and connection continue


async def test_the_panels_have_the_numbers_of_the_api(browser: Browser, service: InProcess) -> None:
    reports = [moment.report for moment in itertools.islice(story(4), 300)]
    async with service.client.post("/api/report-errors", json=reports) as response:
        assert response.status == 200
    page, complaints = await open_page(browser, service)
    data = await service.get("/api/errors")
    status = ("critical", "warning", "stable")
    stats = data["worker_errors"]["worker_stats"]
    stats.sort(key=lambda worker: (status.index(worker["status"]), -worker["error_count"]))
    await expect(page.locator("#workers tbody tr")).to_have_count(10)
    await page.get_by_role("button", name=f"Show all {len(stats)} workers").click()
    for place, worker in enumerate(stats):
        row = page.locator("#workers tbody tr").nth(place)
        await expect(row).to_contain_text(worker["worker_id"])
        await expect(row).to_contain_text(f"{worker['error_count']}")
        await expect(row).to_contain_text(worker["status"])
        await expect(row).to_contain_text(worker["most_common_error"])
    for place, pattern in enumerate(data["error_patterns"]["top_patterns"]):
        row = page.locator("#patterns tbody tr").nth(place)
        await expect(row).to_contain_text(pattern["pattern"])
        await expect(row).to_contain_text(str(pattern["occurrences"]))
        await expect(row).to_contain_text(str(pattern["workers"]))
        await expect(row.locator("time").first).to_have_attribute("datetime", pattern["ever_first_seen"])
        await expect(row.locator("time").last).to_have_attribute("datetime", pattern["last_seen"])
    for name, hardware in data["hardware_errors"]["hardware_status"].items():
        card = page.locator("#hardware li", has=page.get_by_role("link", name=name, exact=True))
        await expect(card).to_contain_text(
            f"{hardware['error_count']} errors, most common {hardware['most_common_error']}"
        )
        await expect(card).to_contain_text(hardware["status"])
    await expect(page.locator("#hardware-errors li")).to_have_count(6)
    await all_listed(page, 300)
    assert complaints == []


async def test_repeats_of_a_pattern_on_a_worker_are_one_row(browser: Browser, service: InProcess) -> None:
    for size in range(3):
        await service.post({"message": f"Failed to allocate {size} bytes"})
    await service.post({"message": "Failed to allocate 7 bytes", "worker_id": "other"})
    page, _ = await open_page(browser, service)
    await listed(page, 4, rows=2)
    await service.post({"message": "Failed to allocate 9 bytes"})
    await listed(page, 5, rows=2)
    row = page.locator("#errors li").first
    await expect(row).to_contain_text("Failed to allocate 9 bytes")
    await row.get_by_role("link", name="×4").click()
    await expect(page.locator("#chips")).to_contain_text("pattern")
    await current(page)
    await listed(page, 4, rows=4)  # all of that row, each for itself
    await expect(page.locator("#chips")).to_contain_text("worker is worker-1")


async def test_a_flood_of_one_pattern_does_not_hide_the_rest(browser: Browser, service: InProcess) -> None:
    await service.post({"message": "the needle", "worker_id": "quiet"})
    flood = [REPORT | {"message": f"Failed to allocate {n} bytes"} for n in range(700)]
    async with service.client.post("/api/report-errors", json=flood) as response:
        assert response.status == 200
    page, _ = await open_page(browser, service)
    await expect(page.locator("#errors")).to_contain_text("the needle")
    await listed(page, 701, rows=2)


async def test_nothing_moves_under_the_pointer(browser: Browser, service: InProcess) -> None:
    await three(service)
    page, _ = await open_page(browser, service)
    await page.locator("#errors li").nth(1).hover()
    await service.post(INFO | {"worker_id": "w5"})
    await expect(page.locator("#news")).to_have_text("1 new error")
    await listed(page, 3)
    await page.mouse.move(1, 1)
    await listed(page, 4)
    await service.post(INFO | {"worker_id": "w6"})
    await listed(page, 5)


async def test_details_have_an_address_and_all_that_is_known(browser: Browser, service: InProcess) -> None:
    sent = {
        "traceback": "Traceback\n  in f", "system_context": {"metrics": {"cpu": {"percent": 99}, "memory": None},
        "gpu_metrics": {"devices": [{"index": 0, "name": "GPU X", "temperature": 91}]}},
        "hardware_context": {"hardware_type": "cuda"}, "error_frequency": {"recurring": False}, "labels": {"team": "blue"},
    }  # fmt: skip
    id_ = (await service.post(sent))["id"]
    await service.post(INFO | {"worker_id": "worker-1"})
    await service.post(WARNING)
    await service.post(INFO)
    page, complaints = await open_page(browser, service)
    await page.locator("[data-card=critical_errors]").click()
    await expect(page.locator("#chips")).to_contain_text("severity is critical")
    await page.locator(f"[data-id='{id_}'] a.message").click()
    dialog = page.locator("#details")
    await expect(dialog).to_be_visible()
    for text in ("Failed to allocate GPU memory", "category RESOURCE_EXHAUSTED", "CPU 99 % > 90 %", "in f", "GPU X", "91",
                 "over the threshold", "all errors of this pattern", "1× in the last 7 d on 1 worker", "On the same worker"):  # fmt: skip
        await expect(dialog).to_contain_text(text)
    await dialog.get_by_text("The report as it was sent").click()
    await expect(dialog).to_contain_text("blue")
    await page.wait_for_url(f"**&error={id_}")
    address = page.url
    await leave_details(page)
    await page.go_back()  # to the state before the details were opened
    await expect(page.locator("#chips")).to_be_empty()
    await expect(dialog).to_be_hidden()
    await page.go_forward()
    await page.go_forward()
    await expect(dialog).to_be_visible()
    other, _ = await open_page(browser, service, address.partition("/error-visualization")[2])
    await expect(other.locator("#details")).to_contain_text("GPU X")
    await other.locator("#details").get_by_role("link", name="RESOURCE_EXHAUSTED").first.click()
    await expect(other.locator("#chips")).to_contain_text("category is RESOURCE_EXHAUSTED")
    assert complaints == []


async def test_details_show_what_could_be_read_of_an_odd_report(browser: Browser, service: InProcess) -> None:
    devices = [None, {"index": "1", "name": "GPU X", "temperature": "91 C"}]
    metrics = {"cpu": {"percent": "high"}, "memory": "full", "disk": {"used_percent": "99 %"}, "own": "text"}
    sent = {"traceback": ["\x1b[31mred\x1b[0m", "line"], "hardware_context": "cuda", "error_frequency": [],
            "system_context": {"metrics": metrics, "gpu_metrics": {"devices": devices}}}  # fmt: skip
    id_ = (await service.post(sent))["id"]
    page, complaints = await open_page(browser, service, f"?error={id_}")
    dialog = page.locator("#details")
    for text in ("disk 99 % > 95 %", "GPU X", "over 85 °C", "red\nline"):
        await expect(dialog).to_contain_text(text)
    assert complaints == []


async def test_details_of_an_error_that_is_not_there(browser: Browser, service: InProcess) -> None:
    page, _ = await open_page(browser, service, "?error=99")
    await expect(page.locator("#details")).to_contain_text("there is no error 99")


async def test_pause_holds_the_list_still(browser: Browser, service: InProcess) -> None:
    await three(service)
    page, _ = await open_page(browser, service)
    await page.locator("#pause").check()
    await service.post()
    await service.post()
    await expect(page.locator("#news")).to_have_text("2 new errors")
    await listed(page, 3)
    await page.locator("#news").click()
    await listed(page, 5)
    await service.post()
    await expect(page.locator("#news")).to_have_text("1 new error")
    await page.locator("#pause").uncheck()
    await listed(page, 6)
    await expect(page.locator("#news")).to_be_hidden()


async def test_the_theme_is_kept(browser: Browser, service: InProcess) -> None:
    context = await browser.new_context(color_scheme="light")
    page = await context.new_page()
    url = str(service.client.make_url("/error-visualization"))
    await page.goto(url)
    light = await page.evaluate("getComputedStyle(document.body).backgroundColor")
    await page.get_by_text("Settings").click()
    await page.locator("#theme").select_option("dark")
    dark = await page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert dark != light
    await page.goto(url, wait_until="commit")
    await expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    await expect(page.locator("body")).to_have_css("background-color", dark)
    await context.close()


async def test_reset_asks_first_and_deletes_nothing(browser: Browser, service: InProcess) -> None:
    await service.post()
    page, _ = await open_page(browser, service)
    resets: list[str] = []
    page.on("request", lambda request: resets.append(request.url) if "reset" in request.url else None)
    await page.get_by_text("Settings").click()
    await page.locator("#reset").click()
    await page.get_by_role("button", name="Cancel").click()
    assert (await service.get("/api/errors"))["summary"]["reset_at"] is None
    await page.locator("#reset").click()
    await page.get_by_role("button", name="Reset", exact=True).click()
    await expect(page.locator("#notice")).to_contain_text("Nothing was deleted")
    assert len(resets) == 1
    summary = (await service.get("/api/errors"))["summary"]
    assert summary["reset_at"]
    assert summary["total_errors"] == 1


async def test_unseen_errors_are_in_the_title(browser: Browser, service: InProcess) -> None:
    page, _ = await open_page(browser, service)
    await page.evaluate("Object.defineProperty(document, 'hidden', {value: true, configurable: true})")
    await service.post()
    await service.post()
    await expect(page).to_have_title("(2) Errors")
    await page.evaluate("delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))")
    await expect(page).to_have_title("Errors")


async def test_unseen_errors_are_in_the_icon_and_on_request_on_the_desktop(
    browser: Browser, service: InProcess
) -> None:
    context = await browser.new_context(permissions=["notifications"])
    await context.add_init_script(
        "window.told = []; window.Notification = class { static permission = 'granted';"
        " constructor(title, more) { window.told.push([title, more.body]); } }"
    )
    page = await context.new_page()
    await page.goto(str(service.client.make_url("/error-visualization")))
    await expect(page.locator("#connection")).to_have_attribute("data-state", "live")
    await page.evaluate("Object.defineProperty(document, 'hidden', {value: true, configurable: true})")
    await service.post()
    await expect(page.locator("link[rel=icon]")).to_have_attribute("href", "/static/icon-unseen.svg")
    assert await page.evaluate("window.told") == []  # notifications are not turned on yet
    await page.evaluate("document.querySelector('#notifications').click()")
    await service.post(INFO)
    await service.post({"worker_id": "w7"})
    await expect(page).to_have_title("(3) Errors")
    told = await page.evaluate("window.told")
    assert told == [["Critical: ResourceError on w7", "Failed to allocate GPU memory"]]
    await page.evaluate("delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))")
    await expect(page.locator("link[rel=icon]")).to_have_attribute("href", "/static/icon.svg")
    await context.close()


async def test_keys(browser: Browser, service: InProcess) -> None:
    await three(service)
    page, _ = await open_page(browser, service)
    await page.keyboard.press("j")
    await page.keyboard.press("j")
    await page.keyboard.press("k")
    await page.keyboard.press("Enter")
    await expect(page.locator("#details")).to_contain_text("1 != 2")
    await leave_details(page)
    await page.keyboard.press("p")
    await expect(page.locator("#pause")).to_be_checked()
    await page.keyboard.press("?")
    await expect(page.locator("#help-dialog")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.locator("#help-dialog")).to_be_hidden()
    await page.keyboard.press("/")
    await page.keyboard.type("p?")
    await expect(page.locator("#q")).to_have_value("p?")
    await page.locator("#q").blur()
    await page.get_by_text("Settings").click()
    await page.locator("#keys").uncheck()
    await page.locator("body").click(position={"x": 1, "y": 1})
    await page.keyboard.press("p")
    assert await page.locator("#pause").is_checked()


async def test_a_sound_for_the_highest_severity_and_none_for_the_past(browser: Browser, service: InProcess) -> None:
    await three(service)
    page, complaints = await open_page(browser, service)
    await listen(page)
    await expect(page.locator("#sound-on")).to_be_visible()
    await service.post()
    await listed(page, 4)
    await heard(page)  # the browser still blocks sound, and the sound is not played later
    await page.locator("#sound-on").click()
    await expect(page.locator("#sound-on")).to_be_hidden()
    await page.wait_for_timeout(2100)
    await heard(page)
    async with service.client.post(
        "/api/report-errors", json=[REPORT | INFO, REPORT | {"worker_id": "w9"}, REPORT | WARNING]
    ) as response:
        assert response.status == 200
    await heard(page, "critical")
    for word in ("one", "two", "three"):
        await service.post(INFO | {"message": word})  # errors of one pattern would recur and be warnings
    await heard(page, "critical", "info")
    await service.post({"is_system_critical": True})
    await heard(page, "critical", "info", "system-critical")
    assert complaints == []


async def test_muted_severities_are_not_heard(browser: Browser, service: InProcess) -> None:
    page, _ = await open_page(browser, service)
    await listen(page)
    await page.locator("#sound-on").click()
    await expect(page.locator("#sound-on")).to_be_hidden()  # until then sound is blocked
    await page.get_by_text("Settings").click()
    await page.locator("[data-mute=critical]").check()
    await service.post()
    await service.post(WARNING)
    await heard(page, "warning")
    await page.locator("#mute-all").check()
    await service.post(INFO)
    await listed(page, 3)
    await page.wait_for_timeout(2100)
    await heard(page, "warning")
    await page.reload()
    await expect(page.locator("[data-mute=critical]")).to_be_checked()
    await expect(page.locator("[data-mute=info]")).not_to_be_checked()


async def test_the_volume_is_kept_and_can_be_tried(browser: Browser, service: InProcess) -> None:
    page, _ = await open_page(browser, service)
    await page.get_by_text("Settings").click()
    await page.locator("#volume").fill("20")
    await listen(page)
    await page.locator("#test-sound").click()
    await heard(page, "critical")
    await page.reload()
    await expect(page.locator("#volume")).to_have_value("20")


async def test_without_local_storage(browser: Browser, service: InProcess) -> None:
    context = await browser.new_context()
    await context.add_init_script(
        "Object.defineProperty(window, 'localStorage', {get() { throw new Error('forbidden') }})"
    )
    page = await context.new_page()
    problems: list[Any] = []
    page.on("pageerror", lambda error: problems.append(error))
    await page.goto(str(service.client.make_url("/error-visualization")))
    await expect(page.locator("#connection")).to_have_attribute("data-state", "live")
    await page.get_by_text("Settings").click()
    await page.locator("#theme").select_option("dark")
    await page.locator("#mute-all").check()
    assert problems == []
    await context.close()
