"""axe-core finds no violations on the page; further tests cover what axe-core cannot check."""

import itertools
import re
from typing import Any

import pytest
from chromium import Browser, needs_chromium, open_page
from conftest import ROOT, InProcess
from playwright.async_api import Page, expect

from exporter.demo.fleet import story

AXE = ROOT / ".venv/node_modules/axe-core/axe.min.js"
pytestmark = [
    pytest.mark.html,
    needs_chromium,
    pytest.mark.skipif(not AXE.exists(), reason="axe-core is not installed (make test installs it)"),
]


async def violations(page: Page, within: str = "document") -> list[str]:
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(AXE.read_text("utf-8"))
    # Only what is wrong is described in full and sent from the browser: that is most of the time of a run.
    found: dict[str, Any] = await page.evaluate(
        f"""async () => {{
            const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
            const found = await axe.run({within}, {{ runOnly: tags, resultTypes: ["violations"] }});
            const wrong = found.violations.flatMap(({{ id, nodes }}) => nodes.map(({{ html }}) => `${{id}}: ${{html.slice(0, 200)}}`));
            return {{ passes: found.passes.length, wrong }};
        }}"""
    )
    assert found["passes"]
    return list(found["wrong"])


async def seeded(service: InProcess) -> None:
    reports = [moment.report for moment in itertools.islice(story(4), 200)]
    async with service.client.post("/api/report-errors", json=reports) as response:
        assert response.status == 200


@pytest.mark.parametrize(("theme", "width"), [("light", 1280), ("dark", 360)])
async def test_no_violation_at_the_login(browser: Browser, serve: Any, theme: str, width: int) -> None:
    service = await serve(users={"ada": "lovelace"})
    page = await browser.new_page(color_scheme=theme, viewport={"width": width, "height": 640})
    await page.goto(str(service.client.make_url("/error-visualization")))
    await page.get_by_label("Password or token").fill("wrong")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert")).to_contain_text("wrong")
    assert await violations(page) == []
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


# The other two combinations are tested below, with chips and news.
@pytest.mark.parametrize(("theme", "width"), [("light", 1280), ("dark", 360)])
async def test_no_violation(browser: Browser, service: InProcess, theme: str, width: int) -> None:
    await seeded(service)
    page, _ = await open_page(browser, service, color_scheme=theme, viewport={"width": width, "height": 900})
    await expect(page.locator("#by-hardware svg")).to_be_visible()
    assert await violations(page) == []
    for button in await page.locator(".swap").all():
        await button.click()
    await page.get_by_text("Settings").click()
    assert await violations(page, "{include: [['.chart'], ['header']]}") == []
    await page.keyboard.press("Escape")
    for dialog, opened in (("#details", "#errors a.message"), ("#help-dialog", "#help"), ("#reset-dialog", "#reset")):
        if dialog != "#details":
            await page.locator(".menu").evaluate("menu => menu.open = true")
        await page.locator(opened).first.click()
        await expect(page.locator(dialog)).to_be_visible()
        if dialog == "#details":
            await expect(page.locator("#frequency")).to_contain_text("7 d")
        assert await violations(page, f"'{dialog}'") == []
        await page.keyboard.press("Escape")
        await expect(page.locator(dialog)).to_be_hidden()
        await expect(page).not_to_have_url(re.compile("error="))


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_no_violation_when_there_is_nothing(browser: Browser, service: InProcess, theme: str) -> None:
    page, _ = await open_page(browser, service, color_scheme=theme)
    await expect(page.locator("#empty")).to_be_visible()
    assert await violations(page) == []


async def test_no_violation_with_chips_nothing_found_news_waiting_and_the_connection_lost(
    browser: Browser, service: InProcess
) -> None:
    await seeded(service)
    for theme, width in (("light", 360), ("dark", 1280)):
        page, _ = await open_page(browser, service, f"?severity=info&worker=nobody&q={theme}", color_scheme=theme)  # type: ignore[arg-type]
        await page.set_viewport_size({"width": width, "height": 900})
        await expect(page.locator("#nothing")).to_be_visible()
        await expect(page.locator("#chips .chip")).to_have_count(3)
        await page.locator("#pause").check()
        await page.keyboard.press("m")
        await expect(page.locator("#mute")).to_have_text("Muted")
        await service.post({"worker_id": "nobody", "error_category": "TEST_FAILURE", "message": theme})
        await expect(page.locator("#news")).to_be_visible()
        await page.route("**/api/**", lambda route: route.abort())
        if width < 640:  # the presets are in the sheet
            await page.locator(".span-now").click()
            await page.get_by_role("button", name="7 d", exact=True).click()
        else:
            await page.get_by_role("link", name="7 d").click()
        await expect(page.locator("#connection")).to_have_attribute("data-state", "lost")
        for place in ("#stale", "#nothing", "#news", "#chips"):
            await expect(page.locator(place)).to_be_visible()
        assert await violations(page) == []


async def test_one_interruption_for_the_first_critical_error(browser: Browser, service: InProcess) -> None:
    page, _ = await open_page(browser, service)
    await service.post({"error_category": "TEST_FAILURE"})
    await service.post({"worker_id": "first"})
    await expect(page.locator("#assertive")).to_contain_text("Critical error on first")
    await service.post({"worker_id": "second"})
    await expect(page.locator("#errors .worker").first).to_have_text("second")
    await expect(page.locator("#assertive")).to_contain_text("Critical error on first")
    await expect(page.locator("#polite")).to_have_text("3 new errors, 2 critical", timeout=30_000)
    assert await page.locator("[role=status], [aria-live=polite]").count() == 1
    assert await page.locator("[role=alert], [aria-live=assertive]").count() == 1


async def test_the_keyboard_stays_where_it_was_when_numbers_change(browser: Browser, service: InProcess) -> None:
    await seeded(service)
    page, _ = await open_page(browser, service)
    for selector in ("#workers a", "#patterns a", "#errors a.message", "[data-card=critical_errors]"):
        focused = page.locator(selector).first
        await focused.focus()
        before = await page.evaluate("document.activeElement.outerHTML.slice(0, 80)")
        total = (await service.get("/api/errors"))["summary"]["total_errors"]
        await service.post({"error_category": "TEST_FAILURE", "message": f"for {selector}", "worker_id": "another"})
        await expect(page.locator("[data-card=total_errors] .count")).to_have_text(str(total + 1))
        assert await page.evaluate("document.activeElement.outerHTML.slice(0, 80)") == before


async def test_all_can_be_reached_by_tab_and_focus_is_seen(browser: Browser, service: InProcess) -> None:
    await service.post()
    page, _ = await open_page(browser, service)
    await expect(page.locator("#by-category svg")).to_be_visible()
    await expect(page.locator("[data-filter=worker] option")).to_have_count(2)  # drawn last
    wanted = await page.evaluate(
        "[...document.querySelectorAll('a[href], button, input, select, summary')].filter(e => e.checkVisibility()).length"
    )
    reached = set()
    for _ in range(3 * wanted):
        await page.keyboard.press("Tab")
        place = await page.evaluate(
            "(e => e === document.body ? null : [[...document.querySelectorAll('*')].indexOf(e), e.matches(':focus-visible')])(document.activeElement)"
        )
        if place and place[0] in reached:
            break
        if place:
            assert place[1]
            reached.add(place[0])
    assert len(reached) >= wanted


@pytest.mark.parametrize(("theme", "width"), [("light", 360), ("dark", 1280)])
async def test_no_violation_in_the_view_of_a_pattern(
    browser: Browser, service: InProcess, theme: str, width: int
) -> None:
    for name in ("alice", "bob", "carol", "dave", "erin", "frank"):
        await service.post({"message": f"Cannot log in user {name} right now"})
    (pattern,) = (await service.get("/api/patterns"))["patterns"]
    member = (await service.get("/api/errors/list"))["errors"][0]["fingerprint"]
    async with service.client.post(
        f"/api/patterns/{pattern['pattern_id']}/split", json={"fingerprints": [member]}
    ) as response:
        assert response.status == 200
    page, _ = await open_page(
        browser,
        service,
        f"?pattern={pattern['pattern_id']}",
        color_scheme=theme,
        viewport={"width": width, "height": 900},
    )
    for summary in ("Why is this one pattern?", "Correct the grouping"):
        await page.get_by_text(summary).click()
    await expect(page.get_by_role("button", name="Undo")).to_be_visible()
    assert await violations(page) == []
