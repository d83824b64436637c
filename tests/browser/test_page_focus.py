"""The focus is not lost where the page replaces or hides what has it; a pointer that was left behind freezes nothing."""

from typing import Any

import pytest
from chromium import Browser, listed, needs_chromium, open_page
from conftest import InProcess
from playwright.async_api import Page, Route, expect

pytestmark = [pytest.mark.html, needs_chromium]
INFO = {"error_category": "TEST_FAILURE", "type": "AssertionError"}


async def focused(page: Page) -> Any:
    return await page.evaluate("""() => {
        const one = document.activeElement;
        return one.id || one.getAttribute("aria-label") || one.className || one.tagName;
    }""")


async def test_buttons_links_and_marks_that_are_replaced(browser: Browser, service: InProcess) -> None:
    await service.post(INFO | {"message": "first of all"})
    page, complaints = await open_page(browser, service)
    await page.mouse.move(1, 1)
    count = page.locator("[data-card=total_errors] .count")
    for number, of in enumerate(("#patterns .not", "#workers a.text", "#over-time .chart-mark")):
        await page.locator(of).first.focus()
        await page.evaluate("before = document.activeElement")
        await service.post(INFO | {"message": "first of all"})
        await expect(count).to_have_text(str(number + 2))
        await page.wait_for_function("!before.isConnected")
        await expect(page.locator(of).first).to_be_focused()
    await page.locator("#workers a.text").focus()
    await page.evaluate(
        "document.activeElement.setAttribute('href', '?gone')"
    )  # as if it were no more of the first ten
    await service.post(INFO | {"message": "first of all"})
    await expect(page.locator("#workers")).to_be_focused()
    assert complaints == []


async def test_a_pointer_that_rests_does_not_freeze_a_table(browser: Browser, service: InProcess) -> None:
    await service.post(INFO | {"worker_id": "w1"})
    context = await browser.new_context()
    page = await context.new_page()
    await page.clock.install()
    await page.goto(str(service.client.make_url("/error-visualization")))
    rows = page.locator("#workers tbody tr")
    await expect(rows).to_have_count(1)
    await rows.first.hover()
    await service.post(INFO | {"worker_id": "w2"})
    await expect(page.locator("[data-card=total_errors] .count")).to_have_text("2")
    await expect(rows).to_have_count(1)
    await page.clock.fast_forward(31_000)
    await service.post(INFO | {"worker_id": "w3"})
    await expect(rows).to_have_count(3)
    await context.close()


async def test_undo_and_the_last_search_leave_the_focus_on_the_page(browser: Browser, service: InProcess) -> None:
    await service.post(INFO)
    page, _ = await open_page(browser, service)
    await page.evaluate("document.querySelector('#count-anew').click()")
    await page.locator("#count-undo").focus()
    await page.keyboard.press("Enter")
    await expect(page.locator("#counted")).to_be_hidden()
    await expect(page.locator("#errors-title")).to_be_focused()
    await page.goto(
        str(service.client.make_url("/error-visualization?from=2020-01-01T00:00:00Z&to=2020-01-02T00:00:00Z&q=x"))
    )
    await page.locator("#q").fill("")
    await page.keyboard.press("Enter")
    await expect(page.locator("#empty")).to_be_visible()
    await expect(page.locator("#q")).to_be_focused()
    await page.locator("#errors-title").focus()
    await expect(page.locator("#q")).to_be_hidden()


async def test_a_chosen_value_leaves_the_search_in_the_field(browser: Browser, service: InProcess) -> None:
    await service.post(INFO | {"worker_id": "gpu-one", "message": "one"})
    page, _ = await open_page(browser, service, "?q=one")
    await page.locator("#q").fill("gpu")
    await expect(page.locator("#found li").first).to_be_visible()
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    await expect(page.locator("#chips .chip")).to_have_count(2)
    await expect(page.locator("#q")).to_have_value("one")


async def test_sound_that_is_turned_on_by_keyboard(browser: Browser, service: InProcess) -> None:
    page, _ = await open_page(browser, service)
    on = page.locator("#sound-on")
    await service.post({})
    await expect(on).to_be_visible()
    await on.focus()
    await page.keyboard.press("Enter")
    await expect(on).to_be_hidden()
    await expect(page.locator("#mute")).to_be_focused()


async def test_a_view_with_a_fault_says_so_and_odd_errors_open(browser: Browser, service: InProcess) -> None:
    await service.post(INFO | {"message": "`a" * 200_000})
    await service.post(
        INFO
        | {
            "message": "odd",
            "system_context": {"metrics": {"odd": {"a": {"toString": 1}}}, "gpu_metrics": {"devices": [None]}},
        }
    )
    page, _ = await open_page(browser, service)
    await listed(page, 2)
    for number in range(2):
        await page.locator("#errors a.message").nth(number).click()
        await expect(page.locator("#details-title")).to_be_visible()
        await page.keyboard.press("Escape")
        await expect(page.locator("#details")).to_be_hidden()

    async def odd(route: Route) -> None:
        await route.fulfill(json={"status": "success", "data": {"timestamp": "2026-11-27T00:00:00Z", "worker_id": "w"}})

    await page.route("**/api/errors/1", odd)
    await page.goto(str(service.client.make_url("/error-visualization?error=1")))
    await expect(page.locator("#details .body")).to_contain_text("This cannot be shown")
