"""The desk with hostile data and with what can be open on it: axe-core finds nothing, and nothing scrolls sideways."""

import pytest
from chromium import Browser, follow, needs_chromium, open_page
from conftest import InProcess
from playwright.async_api import expect
from test_page_accessibility import AXE, violations
from test_page_view_accessibility import seeded
from test_page_views import filled
from verdicts import Verdicts

pytestmark = [
    pytest.mark.html,
    needs_chromium,
    pytest.mark.skipif(not AXE.exists(), reason="axe-core is not installed (make test installs it)"),
]
NAMES = ["__proto__", "<b class=x>bold</b>", "\u202eworker \u05d0\u05d1\u05d2", "\U0001f525" * 60, "w" * 200]
MOMENT = "2026-11-27T02:14:00.000Z"


async def report(service: InProcess) -> dict[str, str]:
    """Reports errors whose names and texts are hostile, and returns the address of each view."""
    addresses = await seeded(service)
    for severity in ("TEST_FAILURE", "RESOURCE_EXHAUSTED", "NETWORK_ERROR"):
        for name in NAMES:
            more = {
                "type": name,
                "message": f"{name} {severity.lower()} {'x' * 300}",
                "hardware_context": {"hardware_type": name},
            }
            await service.post(
                {"worker_id": name, "error_category": severity, "run": {"id": name, "job": name}, "test": name} | more
            )
    return addresses


@pytest.mark.parametrize("width", [1280, 360])
async def test_no_violation_with_hostile_names_and_what_can_be_open(
    browser: Browser, service: InProcess, width: int
) -> None:
    await report(service)
    verdicts = await Verdicts.of(service)
    page, complaints = await open_page(browser, service, viewport={"width": width, "height": 900})
    await expect(page.locator("#ranked-test tbody tr").first).to_be_visible()
    field, found = page.locator("#q"), page.locator("#found li")
    for theme in ("light", "dark"):
        await page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
        await field.fill("w")
        await expect(found.nth(1)).to_be_visible()
        await page.keyboard.press("ArrowDown")
        assert (theme, await violations(page)) == (theme, [])
        await field.fill("")
        await page.locator(".span-now").click()
        assert (theme, await violations(page, "'#span'")) == (theme, [])
        await page.keyboard.press("Escape")
        await page.locator(".menu summary").click()
        assert (theme, await violations(page, "'header'")) == (theme, [])
        await page.keyboard.press("Escape")
        for colour in ("critical", "warning", "calm", "unknown"):
            name = NAMES[2] + NAMES[4]
            verdicts.say("critical", colour, pieces=[{"text": "Critical since "}, {"text": MOMENT, "time": MOMENT}, {"text": f": 3 on {name}."}])  # fmt: skip
            await expect(page.locator("#headline")).to_have_attribute("data-colour", colour)
            assert (colour, await violations(page, "'#headline'")) == (colour, [])
    assert await page.locator("main :is(b.x, script)").count() == 0
    assert await page.evaluate("({}).critical === undefined && Object.keys(Object.prototype).length === 0")
    assert complaints == []


async def test_nothing_scrolls_sideways_at_320_pixels_and_400_percent(browser: Browser, service: InProcess) -> None:
    addresses = await report(service)
    page, _ = await open_page(browser, service, viewport={"width": 320, "height": 640})
    await expect(page.locator("#ranked-test tbody tr").first).to_be_visible()
    wide = "one => one.scrollWidth > one.clientWidth"
    for height in (640, 256):  # a window of 1,280 by 1,024 pixels at 400 %
        await page.set_viewport_size({"width": 320, "height": height})
        for opener in (None, ".span-now", ".menu summary"):
            if opener:
                await page.locator(opener).click()
            assert not await page.locator("html").evaluate(wide), opener
            await page.keyboard.press("Escape")
        await page.locator("#q").fill("w")
        await expect(page.locator("#found li").first).to_be_visible()
        assert not await page.locator("html").evaluate(wide)
        await page.locator("#q").fill("")
    for name, address in addresses.items():
        await follow(page, address)
        await filled(page)
        for summary in await page.locator("#details summary").all():
            await summary.click()
        assert not await page.locator("html").evaluate(wide), name
        assert not await page.locator("#details").evaluate(wide), name
