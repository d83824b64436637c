"""The view of a pattern: why its errors are one pattern; merge, split and undo, by mouse and by keyboard."""

from typing import Any

import pytest
from chromium import Browser, listed, needs_chromium, open_page
from conftest import InProcess, eventually
from playwright.async_api import Page, expect

pytestmark = [pytest.mark.html, needs_chromium]
NAMES = ["alice", "bob", "carol", "dave", "erin", "frank"]
TEMPLATE = "Cannot log in user <*> right now"


async def users(service: InProcess) -> None:
    for name in NAMES:
        await service.post(
            {"type": "LoginError", "error_category": "TEST_LOGIN", "message": TEMPLATE.replace("<*>", name)}
        )


async def open_pattern(page: Page, text: str) -> None:
    await page.locator("#patterns a").filter(has_text=text).click()
    await page.get_by_role("link", name="Filter the page by this pattern").click()
    await expect(page.locator("#pattern-title")).to_have_text(f"Pattern {text}")


async def ids(service: InProcess) -> set[str]:
    return {one["pattern_id"] for one in (await service.get("/api/patterns"))["patterns"]}


async def test_the_view_says_why_it_is_one_pattern(browser: Browser, service: InProcess) -> None:
    await users(service)
    await service.post({"message": "the pump is off"})
    page, complaints = await open_page(browser, service)
    await open_pattern(page, TEMPLATE)
    await listed(page, len(NAMES))
    await page.get_by_text("Why is this one pattern?").click()
    why = page.locator("#pattern-why")
    for text in (", ".join(NAMES), "LoginError", "Cannot log in user carol right now · 1 error"):
        await expect(why).to_contain_text(text)
    (id_, _) = [one["pattern_id"] for one in (await service.get("/api/patterns"))["patterns"]]
    await page.mouse.move(1, 1)  # the list does not move under the pointer
    await eventually(
        lambda: id_ in dict(service.service.ingest.pipeline._patterns.ids.items()).values()
    )  # with the next pong
    await service.post(
        {"type": "LoginError", "error_category": "TEST_LOGIN", "message": TEMPLATE.replace("<*>", "zoe")}
    )
    await listed(page, len(NAMES) + 1)
    await page.get_by_role("button", name="Remove the filter pattern").click()
    await expect(page.locator("#pattern")).to_be_hidden()
    assert complaints == []


async def test_a_link_with_an_old_id_leads_to_the_pattern(browser: Browser, service: InProcess) -> None:
    await users(service)
    fingerprint = (await service.get("/api/errors/list"))["errors"][0]["fingerprint"]
    (id_,) = await ids(service)
    page, _ = await open_page(browser, service, f"?pattern={fingerprint}")
    await page.wait_for_url(f"**pattern={id_}")
    await expect(page.locator("#pattern-title")).to_contain_text(TEMPLATE)
    await listed(page, len(NAMES))
    await page.goto(page.url.replace(id_, "nothing"))
    await expect(page.locator("#pattern")).to_have_text("This pattern has no error in the time range.")


async def test_merge_and_undo(browser: Browser, service: InProcess) -> None:
    for message in ("the pump is off", "the engine has stopped"):
        await service.post({"message": message})
    page, complaints = await open_page(browser, service)
    await open_pattern(page, "the pump is off")
    await listed(page, 1)
    await page.get_by_text("Correct the grouping").click()
    await page.get_by_label("Merge into").select_option(label="the engine has stopped (1)")
    await page.get_by_role("button", name="Merge", exact=True).click()
    await expect(page.locator("#notice")).to_have_text("The patterns are one now.")
    await expect(page.locator("#pattern-title")).to_be_focused()
    await listed(page, 2)
    await expect(page.locator("#patterns tbody tr")).to_have_count(1)
    assert len(await ids(service)) == 1
    await page.get_by_role("button", name="Undo").click()
    await expect(page.locator("#notice")).to_have_text("The change is undone.")
    await listed(page, 1)
    await expect(page.get_by_role("button", name="Undo")).to_be_hidden()
    assert len(await ids(service)) == 2
    assert complaints == []


@pytest.mark.parametrize("more", [{}, {"viewport": {"width": 360, "height": 780}}], ids=["wide", "phone"])
async def test_split_by_keyboard_and_undo(browser: Browser, service: InProcess, more: dict[str, Any]) -> None:
    await users(service)
    (id_,) = await ids(service)
    page, _ = await open_page(browser, service, f"?pattern={id_}", **more)
    await listed(page, len(NAMES))
    await page.locator("#pattern-correct summary").focus()
    await page.keyboard.press("Enter")
    await page.get_by_role("button", name="Split off the chosen").press("Enter")
    await expect(page.get_by_role("alert").filter(has_text="Choose the texts")).to_be_visible()
    await page.get_by_label("user bob right now").press("Space")
    await page.get_by_role("button", name="Split off the chosen").press("Enter")
    await expect(page.locator("#notice")).to_have_text("The pattern is split.")
    await listed(page, len(NAMES) - 1)
    assert len(await ids(service)) == 2
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await page.get_by_role("button", name="Undo").press("Enter")
    await listed(page, len(NAMES))
    assert await ids(service) == {id_}
    await page.get_by_role("button", name="Split all apart").press("Enter")
    await listed(page, 1)
    await page.get_by_role("button", name="Undo").press("Enter")
    await listed(page, len(NAMES))
    assert await ids(service) == {id_}


async def test_a_refusal_is_shown(browser: Browser, service: InProcess) -> None:
    await users(service)
    (id_,) = await ids(service)
    page, _ = await open_page(browser, service, f"?pattern={id_}")
    await page.get_by_text("Correct the grouping").click()
    await page.route(
        "**/split", lambda route: route.fulfill(status=503, json={"status": "error", "message": "not now", "field": ""})
    )
    await page.get_by_role("button", name="Split all apart").click()
    await expect(page.get_by_role("alert").filter(has_text="not now")).to_be_visible()
    assert await ids(service) == {id_}
