"""The desk: where the parts of the page are, tables, filters that include and exclude, and the list's way to older and newer errors."""

import datetime as dt
import re
from typing import Any

import pytest
from chromium import Browser, current, listed, needs_chromium, open_page
from conftest import REPORT, InProcess
from playwright.async_api import Page, Route, expect

pytestmark = [pytest.mark.html, needs_chromium]
INFO = {"error_category": "TEST_FAILURE", "message": "1 != 2", "worker_id": "w3", "type": "AssertionError"}
WARNING = {"error_category": "NETWORK_TIMEOUT", "message": "no answer", "worker_id": "w2", "type": "Timeout"}

# What covers the list of found values: the elements at points along its middle that are none of its own.
COVERED = """(found) => {
    const box = found.getBoundingClientRect(), bottom = Math.min(box.bottom, innerHeight), points = [];
    for (let y = box.top + 4; y < bottom - 4; y += 4) points.push(document.elementFromPoint(box.left + 20, y));
    return [points.length > 5 || "no points", ...points.filter((one) => !found.contains(one)).map((one) => one.outerHTML.slice(0, 60))];
}"""


async def post_all(service: InProcess, reports: list[dict[str, Any]]) -> None:
    async with service.client.post("/api/report-errors", json=[REPORT | report for report in reports]) as response:
        assert response.status == 200, await response.text()


async def column(page: Page, place: str, number: int) -> list[str]:
    return await page.locator(f"{place} tbody tr td:nth-child({number})").all_text_contents()


async def overflow(page: Page) -> int:
    found: int = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return found


async def test_patterns_and_workers_come_before_single_errors_and_no_half_is_blank(
    browser: Browser, service: InProcess
) -> None:
    hot = {"hardware_context": {"hardware_type": "cuda"}, "run": {"id": "r"}, "test": {"id": "t"}}
    await post_all(service, [hot, WARNING, INFO])
    page, _ = await open_page(browser, service, viewport={"width": 1440, "height": 900})
    await expect(page.locator("#rankings-panel")).to_be_visible()
    places = [
        "headline",
        "filter-bar",
        "cards",
        "time-panel",
        "patterns-panel",
        "list",
        "hardware-panel",
        "rankings-panel",
    ]
    boxes = [await page.locator(f"#{place}").bounding_box() for place in places]
    tops = [box["y"] for box in boxes if box]
    assert tops == sorted(tops)
    assert len(tops) == len(places)
    patterns, workers = [
        await page.locator(f"#{place}").bounding_box() for place in ("patterns-panel", "workers-panel")
    ]
    assert patterns and workers
    assert patterns["y"] == workers["y"]
    assert min(patterns["width"], workers["width"]) > 640
    assert workers["y"] < 620


async def test_workers_sort_by_any_column_by_keyboard_too(browser: Browser, service: InProcess) -> None:
    await post_all(
        service,
        [{"worker_id": "w10"}, {"worker_id": "w2"}] + [INFO | {"worker_id": "w1", "message": str(n)} for n in range(3)],
    )
    page, _ = await open_page(browser, service)
    await expect(page.locator("#workers th[aria-sort=descending]")).to_contain_text(re.compile("status|now"))
    errors = page.locator("#workers th").get_by_role("button", name="errors")
    await errors.focus()
    await page.keyboard.press("Enter")
    assert await column(page, "#workers", 3) == ["3", "1", "1"]
    await expect(page.locator("#workers").get_by_role("columnheader", name="errors")).to_have_attribute(
        "aria-sort", "descending"
    )
    await page.keyboard.press("Enter")
    assert await column(page, "#workers", 3) == ["1", "1", "3"]
    await expect(errors).to_be_focused()
    await page.locator("#workers th").get_by_role("button", name="worker").click()
    assert await column(page, "#workers", 1) == ["w1", "w2", "w10"]  # as a reader counts
    await page.reload()
    await expect(page.locator("#workers th[aria-sort=ascending]")).to_contain_text("worker")


async def test_the_workers_state_of_now_is_shown_where_the_service_says_it(
    browser: Browser, service: InProcess
) -> None:
    await post_all(service, [{"worker_id": "a"}, {"worker_id": "b"}])
    context = await browser.new_context()
    at = dt.datetime.now(dt.UTC).isoformat()

    async def answer(route: Route) -> None:
        data = await (await route.fetch()).json()
        first, second = data["data"]["worker_errors"]["worker_stats"]
        first |= {"now": "recovering", "last_critical_time": at, "silent_since": None}
        second |= {"now": "silent", "last_critical_time": at, "silent_since": at}
        await route.fulfill(json=data)

    await context.route("**/api/errors?*", answer)
    page = await context.new_page()
    await page.goto(str(service.client.make_url("/error-visualization")))
    await expect(page.locator("#workers tbody tr")).to_have_count(2)
    assert await column(page, "#workers", 2) == ["■ silent", "◐ recovering"]
    await expect(page.locator("#workers thead")).to_contain_text("last critical")
    assert (await column(page, "#workers", 5))[1] == "–"
    await context.close()


async def test_what_is_filtered_can_be_excluded_and_brought_back(browser: Browser, service: InProcess) -> None:
    await post_all(service, [{}, WARNING, INFO])
    page, complaints = await open_page(browser, service, "?worker=w2")
    await listed(page, 1)
    turn = page.get_by_role("button", name="Exclude worker w2 instead")
    await expect(turn).to_have_text("is")
    await turn.click()
    await page.wait_for_url("**worker%21=w2")
    await listed(page, 2)
    await expect(page.locator("#chips .turn")).to_have_text("is not")
    await expect(page.locator("#chips .turn")).to_be_focused()
    for part in ("#workers", "#patterns"):
        await expect(page.locator(f"{part} tbody tr")).to_have_count(2)
    await expect(page.locator("[data-card=total_errors] .count")).to_have_text("2")
    await service.post(WARNING)  # is left out by the live updates, too
    await service.post(INFO | {"worker_id": "w4"})
    await listed(page, 3)
    await page.locator("#workers tbody tr", has_text="w4").hover()
    await page.get_by_role("button", name="Exclude worker w4").click()
    await listed(page, 2)
    await expect(page.get_by_role("button", name="Remove the filter not worker w4")).to_be_focused()
    await page.locator("#errors li").first.hover()
    await page.locator("#errors li .not").first.click()
    await listed(page, 1)
    await expect(page.locator("#chips")).to_contain_text("pattern is not")
    assert complaints == []


async def test_every_value_can_be_found_and_included_or_excluded(browser: Browser, service: InProcess) -> None:
    await post_all(service, [INFO | {"worker_id": f"node-{n:03}"} for n in range(140)])
    page, complaints = await open_page(browser, service)
    field = page.locator("#q")
    await field.press_sequentially("DE-139")  # not among the 100 most frequent
    option = page.get_by_role("option", name="worker node-139 1 error;")
    await expect(option).to_be_visible()
    await field.press("ArrowDown")
    await expect(option).to_have_attribute("aria-selected", "true")
    assert await field.get_attribute("aria-activedescendant") == await option.get_attribute("id")
    await field.press("Enter")
    await listed(page, 1)
    await expect(field).to_have_value("")
    await expect(page.locator("#matching")).to_have_text("1 error in the last 24 h match the filters")
    await expect(page.locator("#polite")).to_contain_text("1 error in the last 24 h match the filters")
    await page.get_by_role("button", name="Remove the filter worker").click()
    await field.press_sequentially("node-138")
    await expect(page.locator("#found [role=option]")).to_have_count(1)
    await field.press("ArrowDown")
    await field.press("Shift+Enter")
    await page.wait_for_url("**worker%21=node-138")
    await expect(page.locator("[data-card=total_errors] .count")).to_have_text("139")
    await field.press_sequentially("node-137")
    await expect(page.locator("#found [role=option]")).to_have_count(1)
    await page.locator("#found .exclude").click()
    await expect(page.locator("[data-card=total_errors] .count")).to_have_text("138")
    await field.press_sequentially("zzz")
    await expect(page.locator("#found")).to_contain_text("No value contains this")
    await field.press("Escape")
    await expect(page.locator("#found")).to_be_hidden()
    await page.set_viewport_size({"width": 390, "height": 844})
    await field.fill("e")  # on a phone, the list and its bar are next
    await expect(page.locator("#found [role=option]")).to_have_count(8)
    assert await page.locator("#found").evaluate(COVERED) == [True]
    assert complaints == []


async def test_a_run_a_test_and_a_pattern_are_found_by_a_part_and_filtered_by(
    browser: Browser, service: InProcess
) -> None:
    full = {"message": "no space left on sda1", "run": {"id": "Nightly/7"}, "test": "t::disk"}
    await post_all(service, [full, full | {"message": "no space left on sdb2", "worker_id": "w2"}, WARNING, INFO])
    page, complaints = await open_page(browser, service)
    field, total = page.locator("#q"), page.locator("[data-card=total_errors] .count")
    for text, name, left in (
        ("nightLY", "run Nightly/7", 2),
        ("::DISK", "test t::disk", 2),
        ("left SPACE", "pattern no space left on", 2),
    ):
        await expect(total).to_have_text("4")
        await field.fill(text)
        option = page.get_by_role("option", name=name)
        await expect(option).to_contain_text("2 errors")
        await field.press("ArrowDown")
        await field.press("Enter")
        await expect(total).to_have_text(str(left))
        await expect(page.locator("#chips .chip")).to_contain_text(name.replace(" ", " is ", 1))
        await page.get_by_role("button", name=f"is: exclude {name}").click()
        await expect(total).to_have_text(str(4 - left))
        if "pattern" in name:
            await page.reload()  # the URL has the id only
            await expect(page.locator("#chips .chip")).to_contain_text("pattern is not no space left on")
        await page.get_by_role("button", name=f"Remove the filter not {name}").click()
    await field.fill("left space")
    await page.locator("#found .exclude").click()
    await expect(total).to_have_text("2")
    assert complaints == []


async def test_the_menu_closes_when_the_focus_leaves_it(browser: Browser, service: InProcess) -> None:
    await service.post()
    page, _ = await open_page(browser, service)
    await page.get_by_text("Settings").focus()
    await page.keyboard.press("Enter")
    await expect(page.locator(".menu .sheet")).to_be_visible()
    await page.locator("#reset").focus()
    await expect(page.locator(".menu .sheet")).to_be_visible()
    await page.keyboard.press("Tab")
    await expect(page.locator(".menu .sheet")).to_be_hidden()


async def test_the_skip_link_and_the_theme_button(browser: Browser, service: InProcess) -> None:
    await service.post()
    page, _ = await open_page(browser, service, color_scheme="light")
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to the errors")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator("#errors-title")).to_be_focused()
    await page.get_by_role("button", name="Dark theme").click()
    await expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    await expect(page.locator("#theme")).to_have_value("dark")
    await page.get_by_role("button", name="Light theme").click()
    await expect(page.locator("html")).to_have_attribute("data-theme", "light")


async def test_new_errors_come_into_view_and_into_focus(browser: Browser, service: InProcess) -> None:
    await post_all(service, [INFO | {"worker_id": f"w{n:02}"} for n in range(60)])
    page, _ = await open_page(browser, service)
    await page.locator("#older").click()
    await expect(page.locator("#errors li")).to_have_count(50)
    await page.evaluate("document.querySelectorAll('#errors li')[45].scrollIntoView()")
    await service.post({"worker_id": "fresh"})
    await expect(page.locator("#news")).to_have_text("1 new error")
    await page.locator("#news").click()
    row = page.locator("#errors li", has_text="fresh")
    await expect(row).to_be_in_viewport()
    await expect(row.locator("a.message")).to_be_focused()
    box, bar = await row.bounding_box(), await page.locator("#bar").bounding_box()
    assert box and bar
    assert box["y"] >= bar["y"] + bar["height"] - 1  # not under what sticks


async def test_tables_that_grow_do_not_push_the_list_under_the_pointer(browser: Browser, service: InProcess) -> None:
    await post_all(service, [{}, INFO])
    page, _ = await open_page(browser, service, viewport={"width": 1440, "height": 1400})
    await expect(page.locator("#by-worker svg path").first).to_be_attached()
    row = page.locator("#errors li").first
    await row.hover()
    before = await row.bounding_box()
    await post_all(
        service, [WARNING | {"worker_id": f"new-{word}", "message": f"{word} fails"} for word in ("a", "b", "c")]
    )
    await expect(page.locator("#workers tbody tr")).to_have_count(5)
    assert await row.bounding_box() == before
    assert await page.evaluate("scrollY") == 0
    panel = page.locator("#workers-panel")
    held = await panel.evaluate("e => e.offsetHeight")
    await page.mouse.move(1, 1)
    await page.wait_for_function("held => document.querySelector('#workers-panel').offsetHeight > held", arg=held)


async def test_the_focus_stays_when_there_are_no_older_errors(browser: Browser, service: InProcess) -> None:
    await post_all(service, [INFO | {"worker_id": f"w{n:02}"} for n in range(30)])
    page, _ = await open_page(browser, service)
    await expect(page.locator("#errors li")).to_have_count(25)
    await page.locator("#older").focus()
    await page.keyboard.press("Enter")
    await expect(page.locator("#errors li")).to_have_count(30)
    await expect(page.locator("#older")).to_be_hidden()
    await expect(page.locator("#errors a.message").nth(25)).to_be_focused()  # the first that came


async def test_one_click_leads_past_a_flood_of_repeats(browser: Browser, service: InProcess) -> None:
    await service.post(INFO | {"worker_id": "the-needle"})
    await post_all(service, [{"message": f"Failed to allocate {n} bytes"} for n in range(1_000)])
    await post_all(service, [{"message": f"Failed to allocate {n} bytes"} for n in range(1_000)])
    page, _ = await open_page(browser, service)
    await expect(page.locator("#errors .count")).to_have_text("×1000+")
    await page.locator("#older").click()
    await expect(page.locator("#errors .worker").last).to_have_text("the-needle")
    await expect(page.locator("#older")).to_be_hidden()


async def test_where_one_click_finds_only_repeats_it_says_how_far_it_looked(
    browser: Browser, service: InProcess
) -> None:
    await post_all(service, [{"message": f"Failed to allocate {n} bytes"} for n in range(1_000)])
    context = await browser.new_context()
    pages = 0

    async def again(route: Route) -> None:
        """The same errors under other ids, without an end."""
        nonlocal pages
        data = await (await route.fetch(url=re.sub("cursor=[^&]*", "", route.request.url))).json()
        pages += 1
        for error in data["data"]["errors"]:
            error["id"] += pages * 10_000
        data["data"]["next_cursor"] = f"{4 * 10**15}.{pages}"
        await route.fulfill(json=data)

    await context.route("**/api/errors/list?**", again)
    page = await context.new_page()
    await page.goto(str(service.client.make_url("/error-visualization")))
    await page.locator("#older").click()
    await expect(page.locator("#searched")).to_contain_text(
        re.compile(r"5,000 older errors, back to .*, all repeat rows above\.")
    )
    await expect(page.locator("#older")).to_be_visible()
    await expect(page.locator("#older")).to_have_text("Older errors")
    await context.close()


async def test_a_count_opens_each_of_its_errors(browser: Browser, service: InProcess) -> None:
    await post_all(service, [{"message": f"Failed to allocate {n} bytes"} for n in range(1_000)])
    await service.post(INFO)
    page, _ = await open_page(browser, service)
    await page.get_by_role("link", name=re.compile("^×")).click()
    await page.wait_for_url(re.compile("pattern=.*worker=worker-1"))
    await current(page)
    await expect(page.locator("#errors li")).to_have_count(25)
    await page.locator("#older").click()
    await expect(page.locator("#errors li")).to_have_count(50)
    await service.post({"message": "Failed to allocate 5000 bytes"})
    await page.mouse.move(1, 1)
    await page.evaluate("scrollTo(0, 0)")
    await expect(page.locator("#errors .message").first).to_have_text("Failed to allocate 5000 bytes")


async def test_a_date_is_added_at_midnight(browser: Browser, service: InProcess) -> None:
    await service.post()
    page = await (await browser.new_context()).new_page()
    await page.clock.install()
    await page.goto(str(service.client.make_url("/error-visualization?range=168")))
    row = page.locator("#errors time")
    await expect(row).to_have_text(re.compile(r"^\d\d:\d\d:\d\d$"))
    await expect(page.locator("#connection")).to_have_attribute("data-state", "live")
    await page.route("**/api/**", lambda route: route.abort())  # its answers would set the clock back
    await page.clock.fast_forward(25 * 3600 * 1000)
    await page.clock.run_for(21_000)
    await expect(row).to_have_text(re.compile(r"[A-Z][a-z]{2}.* \d\d:\d\d$"))
    lost = page.locator("#connection")
    await expect(lost).to_contain_text("lost, as of ")
    await page.clock.fast_forward(24 * 3600 * 1000)
    await page.clock.run_for(2_000)
    await expect(lost).to_contain_text(re.compile(r"lost, as of .*[A-Z][a-z]{2}.* \d\d:\d\d$"))


async def test_names_that_every_object_has_change_no_object(browser: Browser, service: InProcess) -> None:
    names = ("__proto__", "constructor", "toString")
    await post_all(
        service,
        [
            {"worker_id": name, "error_category": name, "type": name, "hardware_context": {"hardware_type": name}}
            for name in names
        ],
    )
    page, complaints = await open_page(browser, service)
    before = "['__proto__', 'constructor'].length && Object.getOwnPropertyNames(Object.prototype).length"
    clean = await (await browser.new_page()).evaluate(before)
    for chart in ("by-worker", "by-category", "by-hardware"):
        await page.locator(f"#{chart} .picture").scroll_into_view_if_needed()
        await expect(page.locator(f"#{chart} svg path").first).to_be_attached()
        await page.locator(f"#{chart} .picture").hover(position={"x": 240, "y": 40})
    assert await page.evaluate(before) == clean
    assert await page.evaluate("(() => { for (const name in {}) return name; return ''; })()") == ""
    await expect(page.locator("#workers")).to_contain_text("__proto__")
    assert complaints == []


async def test_first_is_the_very_first_and_new_only_what_began_in_the_span(
    browser: Browser, service: InProcess
) -> None:
    past = (dt.datetime.now(dt.UTC) - dt.timedelta(days=3)).isoformat()
    await service.post({"timestamp": past})
    await post_all(service, [{}, INFO])
    page, _ = await open_page(browser, service)
    old = page.locator("#patterns tbody tr", has_text="Failed to allocate")
    assert dt.datetime.fromisoformat(await old.locator("time").first.get_attribute("datetime") or "") < dt.datetime.now(
        dt.UTC
    ) - dt.timedelta(days=2)
    await expect(old.locator(".new")).to_have_count(0)
    await expect(page.locator("#patterns tbody tr", has_text="!=").locator(".new")).to_have_count(1)


async def test_workers_that_the_details_do_not_name_are_counted(browser: Browser, service: InProcess) -> None:
    await post_all(service, [{"worker_id": f"w{n}"} for n in range(8)])
    page, _ = await open_page(browser, service, "?error=1")
    await expect(page.locator("#frequency")).to_contain_text("on 8 workers")
    await expect(page.locator("#frequency")).to_contain_text("and 2 more")


@pytest.mark.parametrize("width", [320, 390, 720, 780, 1101])
async def test_no_width_scrolls_sideways(browser: Browser, service: InProcess, width: int) -> None:
    """320 pixels are what a window of 1,280 has at 400 %."""
    long = {
        "worker_id": "worker-with-a-long-name." * 8,
        "type": "T" * 90,
        "error_category": "C" * 90,
        "message": "m" * 500,
    }
    await post_all(
        service,
        [long | {"hardware_context": {"hardware_type": "h" * 60}, "run": {"id": "r" * 90}, "test": {"id": "t" * 200}}],
    )
    page, _ = await open_page(
        browser, service, f"?worker={long['worker_id']}", viewport={"width": width, "height": 800}
    )
    await listed(page, 1)
    await expect(page.locator("#by-category svg path").first).to_be_attached()
    assert await overflow(page) <= 0
    await page.get_by_text("Settings").click()
    assert await overflow(page) <= 0
    # What belongs together stays in one line.
    for place in ("#range", ".icons"):
        tops = await page.locator(f"{place} > *").evaluate_all(
            "all => all.filter(e => e.checkVisibility()).map(e => e.getBoundingClientRect().top)"
        )
        assert max(tops, default=0) - min(tops, default=0) < 4
