"""Reading is not disturbed: nothing moves under the pointer, the finger or the keyboard focus, the focus is never lost, and
the back button works."""

import asyncio
import re
from typing import Any

import pytest
from chromium import PATIENCE, Browser, leave_details, listed, needs_chromium, open_page
from conftest import REPORT, InProcess
from playwright.async_api import Locator, Page, Route, expect

pytestmark = [pytest.mark.html, needs_chromium]
INFO = {"error_category": "TEST_FAILURE", "message": "1 != 2", "worker_id": "w3", "type": "AssertionError"}
SHIFTS = """
window.shift = 0;
new PerformanceObserver((list) => { for (const one of list.getEntries()) window.shift += one.value; })
  .observe({ type: "layout-shift", buffered: true });
"""


async def several(service: InProcess, count: int, **more: Any) -> None:
    """Sends errors on workers w00, w01, …, each with its own pattern: errors of one pattern would recur and be warnings."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    reports = [
        REPORT | INFO | {"worker_id": f"w{n:02}", "message": f"{letters[n // 26]}-{letters[n % 26]} fails"} | more
        for n in range(count)
    ]
    async with service.client.post("/api/report-errors", json=reports) as response:
        assert response.status == 200


async def top(place: Locator) -> float:
    box = await place.bounding_box()
    assert box
    return box["y"]


async def drawn(page: Page) -> None:
    await expect(page.locator("#by-hardware svg path, #by-worker svg path").first).to_be_attached()


async def test_what_is_pointed_at_or_focused_stays_in_its_place(browser: Browser, service: InProcess) -> None:
    await several(service, 30)
    page, _ = await open_page(browser, service)
    await drawn(page)
    await expect(page.locator("[data-filter=worker] option")).to_have_count(31)  # the last of what comes
    row = page.locator("#errors li").nth(1)
    for number, where in enumerate((row, page.locator("#older"), page.locator("#errors-title"))):
        await where.hover()
        id_ = await row.get_attribute("data-id")
        before = await top(row)
        for more in range(2):
            await service.post(INFO | {"worker_id": f"hovered-{number}-{more}", "message": "ab"[more] + "xyz"[number]})
            await expect(page.locator("#news")).to_have_text(["1 new error", "2 new errors"][more])
            await expect(page.locator("[data-card=total_errors] .count")).to_have_text(f"{31 + 2 * number + more}")
            assert (await top(row), await row.get_attribute("data-id")) == (before, id_)
        await page.mouse.move(1, 1)
        await page.evaluate("scrollTo(0, 0)")
        await expect(page.locator("#news")).to_be_hidden()
        await expect(page.locator("#errors .worker").first).to_have_text(f"hovered-{number}-1")
    last = page.locator("#errors a.message").last
    await last.focus()
    before = await top(last)
    await service.post(INFO | {"worker_id": "focused", "message": "while focused"})
    await expect(page.locator("#news")).to_have_text("1 new error")
    assert await top(last) == before
    await expect(last).to_be_focused()
    await page.locator("#news").focus()
    await page.keyboard.press("Enter")
    await expect(page.locator("#errors .worker").first).to_have_text("focused")
    await expect(page.locator("#errors a.message").first).to_be_focused()


async def test_what_a_finger_scrolled_to_stays_in_its_place(browser: Browser, service: InProcess) -> None:
    await several(service, 30)
    size = {"width": 360, "height": 780}
    page, _ = await open_page(browser, service, viewport=size, has_touch=True, is_mobile=True)
    await listed(page, 25)
    await drawn(page)
    assert await top(page.locator("#errors")) < 430
    await page.evaluate("scrollTo(0, 150)")
    row = page.locator("#errors li").nth(1)
    before = await top(row)
    await service.post({"worker_id": "touched"})
    await expect(page.locator("#news")).to_have_text("1 new error")
    await expect(page.locator("#verdict")).to_contain_text(": 1 critical error on touched")
    assert await top(row) == before
    await expect(page.locator("#connection")).to_be_visible()
    await page.evaluate("scrollTo(0, 0)")
    await expect(page.locator("#errors .worker").first).to_have_text("touched")


async def test_a_chart_does_not_change_under_the_pointer(browser: Browser, service: InProcess) -> None:
    await service.post()
    page, _ = await open_page(browser, service)
    await expect(page.locator("#by-category svg path").first).to_be_attached()
    picture = page.locator("#by-category [role=img]")
    before = await picture.get_attribute("aria-label")
    await picture.hover()
    await service.post({"error_category": "ANOTHER"})
    await expect(page.locator("[data-card=total_errors] .count")).to_have_text("2")
    assert await picture.get_attribute("aria-label") == before
    await page.mouse.move(1, 1)
    await expect(picture).not_to_have_attribute("aria-label", before or "")
    box = await page.locator("#over-time .picture").bounding_box()
    assert box
    await page.mouse.move(box["x"] + box["width"] - 17, box["y"] + box["height"] - 30)  # a bar without a link
    assert await page.locator("#over-time .picture div").first.evaluate("e => getComputedStyle(e).cursor") != "pointer"


@pytest.mark.parametrize(("size", "near", "most"), [((1280, 900), "#desk", 600), ((360, 780), "#errors", 430)])
async def test_loading_pushes_nothing_and_what_matters_is_near(
    browser: Browser, service: InProcess, size: tuple[int, int], near: str, most: int
) -> None:
    await several(service, 30, hardware_context={"hardware_type": "cuda"})
    await service.post({"worker_id": "a-worker-with-a-long-name"})
    page = await browser.new_page(viewport={"width": size[0], "height": size[1]})
    await page.add_init_script(SHIFTS)

    async def slow(route: Route) -> None:
        await asyncio.sleep(0.3)
        await route.continue_()

    await page.route("**/vendor/**", slow)
    await page.goto(str(service.client.make_url("/error-visualization")))
    await drawn(page)
    await expect(page.locator("[data-filter=worker] option")).to_have_count(32)  # the last of what comes
    await page.wait_for_timeout(200)
    assert await page.evaluate("window.shift") < 0.02
    assert await top(page.locator(near)) < most
    assert await page.evaluate("document.documentElement.scrollWidth") <= size[0]


async def test_the_focus_is_never_lost(browser: Browser, service: InProcess) -> None:
    await several(service, 2)
    await service.post({"worker_id": "w01"})
    page, complaints = await open_page(browser, service, "?severity=critical&q=zzz")
    chips = page.locator("#chips .remove")
    await expect(chips).to_have_count(2)
    await chips.first.focus()
    await page.keyboard.press("Enter")
    await expect(chips).to_have_count(1)
    await expect(chips).to_be_focused()
    await expect(page.locator("#widen")).to_be_visible()
    await page.locator("#widen").focus()
    await page.keyboard.press("Enter")
    await listed(page, 3)
    await expect(page.locator("#errors-title")).to_be_focused()
    await page.goto(str(service.client.make_url("/error-visualization?severity=info")))
    await expect(page.locator("#connection")).to_have_attribute("data-state", "live")
    await chips.focus()
    await page.keyboard.press("Enter")
    await listed(page, 3)
    await expect(page.locator("#errors-title")).to_be_focused()
    await page.locator("#errors a.message").first.focus()
    await page.keyboard.press("Enter")
    await page.locator("#neighbours li:not([aria-current]) a.message").first.focus()
    await page.keyboard.press("Enter")
    await expect(page.locator("#details h2")).to_contain_text("AssertionError")
    await expect(page.locator("#details:focus-within")).to_be_visible()
    await leave_details(page)
    await expect(page.locator("#errors a.message").first).to_be_focused()
    assert complaints == []


async def test_looking_at_errors_leaves_no_steps_and_back_does_not_reopen(browser: Browser, service: InProcess) -> None:
    await several(service, 3)
    page, _ = await open_page(browser, service)
    await page.get_by_role("link", name="6 h").click()
    before = await page.evaluate("history.length")
    for number in range(3):
        await page.locator("#errors a.message").nth(number).click()
        await expect(page.locator("#details h2")).to_be_visible()
        await leave_details(page)
        await page.wait_for_url("**?range=6")
    assert await page.evaluate("history.length") == before + 1  # the entry for the forward button
    await page.go_back()
    await expect(page.locator("#range [aria-current]")).to_have_text("24 h")
    await expect(page.locator("#details")).to_be_hidden()


async def test_what_is_chosen_while_the_browser_goes_back_is_not_undone_by_it(
    browser: Browser, service: InProcess
) -> None:
    """A browser goes back in its history asynchronously; here it does so late, and then not at all."""
    await several(service, 2)
    page, complaints = await open_page(browser, service)
    messages, details = page.locator("#errors a.message"), page.locator("#details")
    for late in ("(n) => setTimeout(() => History.prototype.go.call(history, n), 300)", "() => {}"):
        await page.evaluate(f"void (history.go = {late})")
        await messages.first.click()
        await expect(details).to_be_visible()
        await page.evaluate("void (document.querySelector('#q').value = 'half a wo')")
        await page.keyboard.press("Escape")
        await messages.nth(1).click()
        await expect(details.locator("h2")).to_have_text(re.compile("[A-Za-z]"))
        await expect(page).to_have_url(re.compile("error=1$"))
        await page.wait_for_timeout(400)  # the late step back does not undo it
        await expect(page).to_have_url(re.compile("error=1$"))
        await expect(details).to_be_visible()
        await expect(page.locator("#q")).to_have_value("half a wo")
        await page.evaluate("delete history.go")
        await leave_details(page)
    assert complaints == []


async def test_each_range_and_the_arrow_keys_of_a_filter(browser: Browser, service: InProcess) -> None:
    await several(service, 2)
    await service.post()
    page, _ = await open_page(browser, service)
    for label, hours in (("1 h", 1), ("6 h", 6), ("24 h", 24), ("7 d", 168)):
        await page.get_by_role("link", name=label, exact=True).click()
        await expect(page.locator("#range [aria-current]")).to_have_text(label)
        await page.wait_for_url(f"**?range={hours}")
        await page.wait_for_function(
            "start => [...document.querySelectorAll('#errors a')].every(a => a.getAttribute('href').startsWith(start))",
            arg=f"?range={hours}&", timeout=PATIENCE,
        )  # fmt: skip
        await listed(page, 3)
    before = await page.evaluate("history.length")
    select = page.locator("[data-filter=severity]")
    await expect(select.locator("option")).to_have_count(3)
    await select.focus()
    await page.keyboard.press("ArrowDown")
    await page.wait_for_url("**severity=**")
    await page.keyboard.press("ArrowDown")
    await page.wait_for_url("**severity=critical")
    await listed(page, 1)
    assert await page.evaluate("history.length") == before + 1
    await page.go_back()
    await page.wait_for_url("**?range=168")
    await listed(page, 3)


async def test_a_late_answer_for_one_error_is_not_shown_of_another(browser: Browser, service: InProcess) -> None:
    first = await service.post({"worker_id": "A", "message": "alpha"})
    for number in range(3):
        await service.post(INFO | {"worker_id": f"w{number}"})
    page, _ = await open_page(browser, service)
    late = asyncio.Event()

    async def slow(route: Route) -> None:
        await late.wait()
        await route.continue_()

    await page.route(f"**/api/patterns/{first['fingerprint']}*", slow)
    await page.locator("#errors a.message", has_text="alpha").click()
    await expect(page.locator("#details")).to_contain_text("alpha")
    await leave_details(page)
    await page.locator("#errors a.message", has_text="1 != 2").first.click()
    await expect(page.locator("#frequency")).to_contain_text("3× in the last 7 d")
    async with page.expect_response("**/api/patterns/**"):
        late.set()
    await page.wait_for_timeout(100)
    await expect(page.locator("#frequency")).to_contain_text("3× in the last 7 d")


async def test_a_link_of_a_panel_narrows_what_is_shown_and_leads_to_the_list(
    browser: Browser, service: InProcess
) -> None:
    await several(service, 3)
    await service.post({"worker_id": "worst"})
    page, _ = await open_page(browser, service, "?severity=critical")
    await listed(page, 1)
    await page.get_by_role("button", name="errors by worker as table").click()
    await page.locator("#by-worker").get_by_role("link", name="worst").click()
    await page.wait_for_url("**?range=24&severity=critical&worker=worst")
    await listed(page, 1)
    await expect(page.locator("#errors-title")).to_be_focused()
    await expect(page.locator("#errors-title")).to_be_in_viewport()
    assert await top(page.locator("#errors-title")) >= await page.locator("header").evaluate("e => e.offsetHeight")
