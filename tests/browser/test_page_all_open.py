"""Everything that can be open on the page, one after another, with hostile data: axe-core finds nothing on a phone and on a wide
screen, in light and dark, and at 320 pixels (1,280 at 400 %) nothing scrolls sideways and no text is cut off."""

import datetime as dt
import json
from typing import Any, Literal

import pytest
from chromium import Browser, needs_chromium
from conftest import InProcess
from opened import CUT, HOSTILE, Openers, prepare
from playwright.async_api import Page, expect
from test_page_accessibility import AXE, violations
from test_page_hostile import report

from exporter.http import runbooks

pytestmark = [
    pytest.mark.html,
    needs_chromium,
    pytest.mark.skipif(not AXE.exists(), reason="axe-core is not installed (make test installs it)"),
]
HEIGHT = 800
PHONE = {"width": 390, "height": HEIGHT}
LONG = "w" * 200
# A phone first: some of what is opened has its button only there.
LOOKS: list[tuple[int, Literal["light", "dark"]]] = [(390, "light"), (320, "dark"), (1280, "dark"), (1280, "light")]
# What one step opens is open together.
STEPS = [
    ("a_notice", "warnings", "all_of_the_verdict", "machines", "new_patterns_and_all_workers", "filters", "a_new_version"),
    ("a_selection_on_the_chart_and_a_tooltip",), ("the_tables_of_a_comparison",),
    ("help",), ("reset",), ("session_and_broken_sounds",), ("a_refused_form",), ("a_drain_until",), ("an_error_with_an_issue",),
    ("a_view_without_an_answer",), ("a_view_of_nothing",), ("own_counts_after_a_reset",),
]  # fmt: skip
CLOSING = {"a_selection_on_the_chart_and_a_tooltip"}  # closed by another width
# Shows another page without loading it.
SHOW = """async (path) => {
    const { documentElement: shown } = new DOMParser().parseFromString(await (await fetch(path)).text(), "text/html");
    document.title = shown.querySelector("title").textContent;
    document.body.replaceWith(shown.querySelector("body"));
}"""


async def looks(page: Page, within: str, again: Any = None, narrow: bool = False) -> dict[str, list[str]]:
    """Returns what axe-core finds in the parts `within`, and what is cut off, at each width and theme; with `narrow` at 320 pixels
    only. `again()` opens what another width or theme closes."""
    bad = {}
    for number, (width, theme) in enumerate(LOOKS[1:2] if narrow else LOOKS):
        await page.set_viewport_size({"width": width, "height": HEIGHT})
        await page.emulate_media(color_scheme=theme)
        if number and again:
            await again()
        for part in within.split(", "):
            await expect(page.locator(part).first).to_be_visible()
        found = await page.evaluate(CUT, within)
        found += await violations(page, json.dumps({"include": [[part] for part in within.split(", ")]}))
        if found:
            bad[f"{width} {theme}"] = found
    if not narrow:
        await page.set_viewport_size(PHONE)
    return bad


def none(bad: dict[str, dict[str, list[str]]]) -> None:
    found = {name: where for name, where in bad.items() if where}
    assert not found, json.dumps(found, indent=1)


async def phone(browser: Browser, service: InProcess, path: str = "") -> Page:
    page = await browser.new_page(viewport=PHONE)
    if path:
        await page.goto(str(service.client.make_url(path)))
    return page


async def test_all_that_can_be_open(browser: Browser, serve: Any) -> None:
    service: InProcess = await serve(timezone="UTC", issue_url="https://tracker.example/new?title={title}")
    addresses = await report(service)
    off = (dt.datetime.now(dt.UTC) - dt.timedelta(hours=2)).replace(tzinfo=None).isoformat()
    for _ in range(5):
        await service.post({"worker_id": LONG, "timestamp": off})
    page = await phone(browser, service)
    await prepare(page)
    await page.goto(str(service.client.make_url("/error-visualization")))
    await expect(page.locator("#connection")).to_have_attribute("data-state", "live")
    await expect(page.locator("#by-hardware svg path").first).to_be_attached()
    openers, bad = Openers(page, service, addresses), {}
    for step in STEPS:
        await openers.closed()
        opens = [getattr(openers, name) for name in step]
        parts = [await one() for one in opens]
        bad[step[0]] = await looks(page, ", ".join(parts), opens[0] if step[0] in CLOSING else None)
    none(bad)


async def test_a_wall_with_hostile_names(browser: Browser, service: InProcess) -> None:
    for message in (HOSTILE, "x" * 300):
        await service.post({"worker_id": LONG, "message": message})
    page = await phone(browser, service, f"/error-visualization?wall&worker={LONG}")
    await expect(page.locator("#wall-critical a")).to_have_count(2)
    none({"": await looks(page, "html")})


async def test_the_page_before_the_first_answer(browser: Browser, service: InProcess) -> None:
    page = await phone(browser, service)
    await page.route("**/api/**", lambda route: route.abort())
    await page.goto(str(service.client.make_url("/error-visualization")))
    await expect(page.locator("#loading")).to_contain_text("The service does not answer")
    none({"": await looks(page, "html")})


async def test_a_refused_login(browser: Browser, serve: Any) -> None:
    page = await phone(browser, await serve(users={"ada": "lovelace"}), "/login?next=/error-visualization")
    await page.get_by_label("Name").fill(HOSTILE)
    await page.get_by_label("Password or token").fill("wrong")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert")).to_contain_text("wrong")
    none({"": await looks(page, "html")})


async def test_each_runbook(browser: Browser, service: InProcess) -> None:
    page = await phone(browser, service, "/runbooks/")
    names = sorted(file.stem for file in runbooks.runbooks_folder().glob("*.md") if file.stem != "README")
    assert len(names) > 30
    bad = {"": await looks(page, "html")}
    for name in names:
        await page.evaluate(SHOW, f"/runbooks/{name}")  # axe-core and the style stay
        await expect(page.locator("h1")).to_be_visible()
        bad[name] = await looks(page, "html", narrow=True)  # all have one style
    none(bad)
