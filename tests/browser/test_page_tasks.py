"""What somebody on call wants to know or do, each with the number of clicks that it may take, and by keyboard alone.

The page counts the presses of the mouse itself, so that no helper of a test forgets one.
"""

import re
from typing import Any

import pytest
from chromium import Browser, needs_chromium, open_page
from conftest import InProcess
from night import NEWEST, incident
from playwright.async_api import Locator, Page, expect

pytestmark = [pytest.mark.html, needs_chromium]
COUNT = (
    "presses = 0; addEventListener('click', (event) => { if (event.isTrusted && event.detail) presses += 1; }, true)"
)
LOST = "document.activeElement === document.body || document.activeElement === null"


class Reader:
    """Somebody before the page, who presses the mouse or keys."""

    def __init__(self, page: Page) -> None:
        self.page = page

    async def begin(self) -> None:
        """Opens the page anew as it is without filters, with no press counted."""
        await self.page.goto(self.page.url.partition("?")[0])
        await expect(self.page.locator("#connection")).to_have_attribute("data-state", "live")
        await expect(self.page.locator("#headline")).to_have_attribute("data-colour", "critical")
        await self.page.evaluate(COUNT)

    async def presses(self) -> int:
        return int(await self.page.evaluate("presses"))

    async def keys(self, *keys: str) -> None:
        """Presses keys one after the other. The focus is never lost, not even for a moment that a key could fall into."""
        for key in keys:
            await self.page.keyboard.press(key)
            assert not await self.page.evaluate(LOST), f"the focus is lost after {key}"

    async def tab_to(self, to: Locator, most: int = 150) -> None:
        """Presses Tab until `to` has the focus."""
        for _ in range(most):
            await self.page.keyboard.press("Tab")
            if await to.evaluate("one => one === document.activeElement"):
                return
        raise AssertionError(f"Tab does not lead to {to}")

    async def settled(self, change: Any) -> None:
        """Waits for what `change` expects; the focus is somewhere then, too."""
        await change
        assert not await self.page.evaluate(LOST), "the focus is lost"


async def reader(browser: Browser, service: InProcess, width: int) -> tuple[Reader, list[str]]:
    await incident(service)
    page, complaints = await open_page(browser, service, viewport={"width": width, "height": 844})
    return Reader(page), complaints


async def read_without_a_press(page: Page) -> None:
    """Whether it is bad now, since when, and which worker: all in sight."""
    await expect(page.locator("#verdict")).to_be_in_viewport(ratio=0.9)
    await expect(page.locator("#verdict strong")).to_have_text(re.compile(r"▲?\s*Critical since \d\d:\d\d:\d\d"))
    await expect(page.locator("#verdict")).to_contain_text("on 5 workers (9 on gpu-03)")


async def test_a_row_is_excluded_while_only_new_patterns_are_shown(browser: Browser, service: InProcess) -> None:
    one, complaints = await reader(browser, service, 1280)
    page, rows = one.page, one.page.locator("#patterns tbody tr")
    await page.get_by_role("button", name="New only").click()
    await expect(rows).to_have_count(5)
    await rows.first.hover()
    await rows.first.locator(".not").click()
    await expect(rows).to_have_count(4)
    await page.mouse.move(1, 1)
    await expect(rows).to_have_count(4)
    await page.get_by_role("button", name="New only").click()
    await expect(rows.first).to_contain_text("test_mean")
    assert complaints == []


@pytest.mark.parametrize("width", [1280, 390])
async def test_each_task_takes_as_few_clicks_as_it_may(browser: Browser, service: InProcess, width: int) -> None:
    one, complaints = await reader(browser, service, width)
    page, dialog = one.page, one.page.locator("#details")

    await one.begin()
    await read_without_a_press(page)
    assert await one.presses() == 0

    await page.get_by_role("link", name="the newest critical error").click()
    await expect(dialog.locator("pre").filter(has_text="dist.all_reduce(loss)").first).to_be_in_viewport()
    await expect(dialog).to_contain_text(NEWEST)
    assert await one.presses() == 1

    await one.begin()
    await page.get_by_role("button", name="New only").click()
    patterns = page.locator("#patterns tbody tr")
    await expect(patterns).to_have_count(5)
    await expect(patterns.first).to_contain_text("test_io: <*> != <*>")
    await expect(patterns.last).to_contain_text("checkpoint upload stalled")
    await expect(page.locator("#patterns")).not_to_contain_text("test_mean")  # known for three days
    assert await one.presses() == 1

    await one.begin()
    await page.locator(".menu summary").click()
    await page.get_by_role("checkbox", name="info").click()
    stored = "JSON.parse(localStorage['error-visualization.mutes']).info.until === null"
    assert await page.evaluate(stored)
    assert await one.presses() == 2

    await one.begin()
    link = page.locator("#span > .span-link")
    await link.click()
    await expect(link).to_have_text(re.compile("Cop"))
    assert await one.presses() == 1

    await one.begin()
    await page.get_by_role("navigation", name="Parts of the page").get_by_role("link", name="Tests").click()
    await expect(page.locator("#ranked-test tbody tr").first).to_be_in_viewport()
    await expect(page.locator("#ranked-test tbody tr").first).to_contain_text("test_mean[")
    assert await one.presses() == 1

    await one.begin()
    await page.locator(".span-now").click()
    await page.get_by_role("button", name="last night 22–06").click()
    await expect(page).to_have_url(re.compile("from=.*T"))
    assert await one.presses() == 2

    await one.begin()
    await page.get_by_role("link", name="6 h", exact=True).click()
    worker = page.locator("#workers tr", has_text="gpu-05")
    await worker.hover()
    await worker.get_by_role("button", name="Only worker gpu-05").click()
    await page.keyboard.press("/")
    await page.keyboard.type("stalled")
    await page.keyboard.press("Enter")
    await expect(page.locator("[data-card=total_errors] .count")).to_have_text("3")
    await expect(page.locator("#errors li")).to_have_count(1)
    await expect(page.locator("#errors li")).to_contain_text("checkpoint upload stalled")
    assert await one.presses() == 2
    assert complaints == []


@pytest.mark.parametrize("width", [1280, 390])
async def test_each_task_by_keyboard_alone(browser: Browser, service: InProcess, width: int) -> None:
    one, complaints = await reader(browser, service, width)
    page, dialog = one.page, one.page.locator("#details")

    await one.begin()
    await one.tab_to(page.get_by_role("link", name="the newest critical error"))
    await one.keys("Enter")
    await one.settled(expect(dialog.locator("pre").filter(has_text="dist.all_reduce(loss)").first).to_be_visible())
    await one.keys("Escape")
    await one.settled(expect(dialog).to_be_hidden())
    await expect(page.get_by_role("link", name="the newest critical error")).to_be_focused()
    await one.keys("j", "j", "Enter")  # the second row of the list is the same error
    await one.settled(expect(dialog).to_contain_text(NEWEST))
    await one.keys("j", "k", "Escape")
    await one.settled(expect(dialog).to_be_hidden())

    await one.tab_to(page.get_by_role("button", name="New only"))
    await one.keys("Enter")
    await one.settled(expect(page.locator("#patterns tbody tr")).to_have_count(5))
    await one.keys("Space")
    await one.settled(expect(page.locator("#patterns tbody tr")).to_have_count(6))

    await one.begin()
    await one.tab_to(page.locator(".menu summary"))
    await one.keys("Enter")
    await one.tab_to(page.get_by_role("checkbox", name="info"))
    await one.keys("Space")
    await expect(page.get_by_role("checkbox", name="info")).to_be_checked()
    await one.keys("Escape")
    await expect(page.locator(".menu summary")).to_be_focused()

    await one.begin()
    await one.tab_to(page.locator("#span > .span-link"))
    await one.keys("Enter")
    await one.settled(expect(page.locator("#span > .span-link")).to_have_text(re.compile("Cop")))

    await one.begin()
    await one.tab_to(page.get_by_role("navigation", name="Parts of the page").get_by_role("link", name="Tests"))
    await one.keys("Enter")
    await expect(page.locator("#ranked-test tbody tr").first).to_be_in_viewport()
    await one.tab_to(page.locator("#ranked-test a").first, most=3)
    await one.keys("Enter")
    await one.settled(expect(dialog.locator("h2")).to_contain_text("Test "))
    await one.keys("Escape")
    await one.settled(expect(page.locator("#ranked-test a").first).to_be_focused())

    await one.begin()
    await one.tab_to(page.locator(".span-now"))
    await one.keys("Enter")
    await expect(page.locator("#span-text")).to_be_focused()
    await page.keyboard.type("last night 22-06")
    await one.keys("Enter")
    await one.settled(expect(page).to_have_url(re.compile("from=.*T")))
    await expect(page.locator(".span-now")).to_be_focused()
    await one.keys("Enter", "Escape")
    await expect(page.locator(".span-now")).to_be_focused()

    await one.begin()
    await one.tab_to(page.locator(".span-now"))
    await one.keys("Enter")
    await page.keyboard.type("last 6 h")
    await one.keys("Enter", "/")
    await page.keyboard.type("gpu-05")
    await one.settled(expect(page.get_by_role("option", name="worker gpu-05")).to_be_visible())
    await one.keys("ArrowDown", "Enter")
    await one.settled(expect(page.locator("#chips .chip")).to_have_count(1))
    await page.keyboard.type("stalled")  # the focus is still in the field
    await one.keys("Enter")
    await one.settled(expect(page.locator("[data-card=total_errors] .count")).to_have_text("3"))
    await one.keys("Tab", "j", "Enter")
    await one.settled(expect(dialog).to_contain_text("checkpoint upload stalled"))
    await one.keys("Escape")
    await one.settled(expect(dialog).to_be_hidden())
    assert await one.presses() == 0
    assert complaints == []
