"""Everything that can be open on the page, one after another, with hostile data: axe-core finds nothing on a phone and on a wide
screen, in light and dark, and at 320 pixels (1,280 at 400 %) nothing scrolls sideways and no text is cut off."""

import datetime as dt
from typing import Any

import pytest
from chromium import Browser, needs_chromium, open_page
from conftest import InProcess
from opened import CUT, HOSTILE, Openers, prepare, refuse
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
# A phone first: some of what is opened has its button only there.
LOOKS = [(390, "light"), (390, "dark"), (320, "dark"), (1280, "dark"), (1280, "light")]
OPENERS = [
    "filters", "warnings", "all_of_the_verdict", "machines", "new_patterns_and_all_workers", "a_notice",
    "a_selection_on_the_chart", "a_tooltip", "the_tables_of_a_comparison", "help", "reset", "session_and_broken_sounds", "a_new_version",
    "a_state_form", "a_refused_form", "a_drain_until", "an_error_with_an_issue", "a_view_without_an_answer", "a_view_of_nothing",
    "own_counts_after_a_reset",
]  # fmt: skip
EACH = {"a_selection_on_the_chart", "a_tooltip"}  # closed by another width


async def faults(page: Page, within: str) -> list[str]:
    """Returns what axe-core finds in the parts `within`, and what is cut off; at 320 pixels only the latter."""
    found = list(await page.evaluate(CUT, within))
    if page.viewport_size and page.viewport_size["width"] > 320:
        parts = [f"[{part.strip()!r}]" for part in within.split(",")]
        found += await violations(page, f"{{include: [{', '.join(parts)}]}}")
    return found


async def look(page: Page, width: int, theme: str) -> None:
    await page.set_viewport_size({"width": width, "height": HEIGHT})
    await page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]


async def test_all_that_can_be_open(browser: Browser, serve: Any) -> None:
    service: InProcess = await serve(timezone="UTC", issue_url="https://tracker.example/new?title={title}")
    addresses = await report(service)
    off = (dt.datetime.now(dt.UTC) - dt.timedelta(hours=2)).replace(tzinfo=None).isoformat()
    for _ in range(5):
        await service.post({"worker_id": "w" * 200, "timestamp": off})
    context = await browser.new_context(viewport={"width": 390, "height": HEIGHT})
    page = await context.new_page()
    await prepare(page)
    await page.goto(str(service.client.make_url("/error-visualization")))
    await expect(page.locator("#connection")).to_have_attribute("data-state", "live")
    await expect(page.locator("#by-hardware svg path").first).to_be_attached()
    openers = Openers(page, service, addresses)
    bad: dict[str, list[str]] = {}
    for name in OPENERS:
        await look(page, *LOOKS[0])
        await openers.closed()
        import time; t0=time.time()
        try:
            within = await getattr(openers, name)()
        except BaseException as e:
            bad[name]=[str(e)[:700]]; continue
        for number, (width, theme) in enumerate(LOOKS):
            await look(page, width, theme)
            if number and name in EACH:
                await getattr(openers, name)()
            if found := await faults(page, within):
                bad[f"{name}, {width}, {theme}"] = found
    import json,pathlib; pathlib.Path('/tmp/h/axe_bad.json').write_text(json.dumps(bad,indent=1))
    assert bad == {}
