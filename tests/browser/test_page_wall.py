"""The page on a wall: readable from afar, and alone for a night."""

import datetime as dt
from typing import Any

import pytest
from chromium import LONGEST, Browser, needs_chromium
from conftest import REPORT, ROOT, InProcess
from playwright.async_api import Page, expect
from running import RunningServer

from exporter.app import make_app
from exporter.http import pages
from exporter.service import Service

pytestmark = [pytest.mark.html, needs_chromium]
AXE = ROOT / ".venv/node_modules/axe-core/axe.min.js"
SIZE = {"width": 1920, "height": 1080}
# A wake lock that the browser takes away when `lose()` is called.
AWAKE = """
window.locks = [];
Object.defineProperty(navigator, "wakeLock", { value: { request: async (what) => {
  const lock = { what, released: false, onrelease: null };
  window.locks.push(lock);
  return lock;
} } });
window.lose = () => { const lock = window.locks.at(-1); lock.released = true; lock.onrelease(); };
"""


async def wall(browser: Browser, service: InProcess, query: str = "?wall", script: str = "", **more: Any) -> Page:
    page = await browser.new_page(viewport=SIZE, **more)
    if script:
        await page.add_init_script(script)
    await page.goto(str(service.client.make_url(f"/error-visualization{query}")))
    await expect(page.locator("#connection")).to_have_attribute("data-state", "live")
    return page


async def numbers(page: Page, *expected: str) -> None:
    await expect(page.locator("#wall-numbers dd")).to_have_text(list(expected))


async def many(service: InProcess, count: int, **more: Any) -> None:
    async with service.client.post(
        "/api/report-errors", json=[REPORT | {"worker_id": f"w{n}"} | more for n in range(count)]
    ) as response:
        assert response.status == 200


async def test_it_is_large_and_says_it_in_title_and_icon(browser: Browser, service: InProcess) -> None:
    page = await wall(browser, service)
    await expect(page).to_have_title("○ Not known · Errors")
    await expect(page.locator("#wall-critical")).to_have_text("none")
    await many(service, 9)
    await service.post(
        {"error_category": "TEST_FAILURE", "message": "<b>1 != 2</b>\n" + "x" * 999, "type": "AssertionError"}
    )
    await service.post()
    await numbers(page, "10", "0", "11", "10")
    await expect(page).to_have_title("▲ Critical · Errors")
    await expect(page.locator("link[rel=icon]")).to_have_attribute("href", "/static/icon-critical.svg")
    await expect(page.locator("#wall-critical li")).to_have_count(6)
    await expect(page.locator("#wall-critical li").first).to_contain_text("worker-1")
    await expect(page.locator("#wall-patterns li")).to_have_count(2)
    for place, least in (("#verdict", 6), ("#wall-numbers dd", 6), ("#wall-critical a", 3), ("#wall-clock", 3)):
        size = await page.locator(place).first.evaluate("e => parseFloat(getComputedStyle(e).fontSize)")
        assert size >= SIZE["height"] * least / 100, place
    for place in ("#list", "#cards", "label.icon", "#range", "#span", ".menu", "#theme-switch", "#storage", "#below"):
        await expect(page.locator(place)).to_be_hidden()
    for wide, high in ((1920, 1080), (3840, 2160), (1280, 720)):
        await page.set_viewport_size({"width": wide, "height": high})
        fits = (
            "document.documentElement.scrollHeight <= innerHeight && document.documentElement.scrollWidth <= innerWidth"
        )
        assert await page.evaluate(fits), (wide, high)
        seen = await page.locator("#wall-critical li").evaluate_all(
            "rows => { const box = rows[0].parentElement.getBoundingClientRect();"
            " return rows.map(row => row.getBoundingClientRect()).filter(row => row.left < box.right && row.bottom > box.bottom + 1).length }"
        )
        assert seen == 0, "a row is cut in half"
    await page.set_viewport_size({"width": 390, "height": 844})
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def test_no_violation(browser: Browser, service: InProcess) -> None:
    await many(service, 3)
    page = await wall(browser, service)
    await numbers(page, "3", "0", "3", "3")
    await page.evaluate(AXE.read_text("utf-8"))
    for theme in ("light", "dark"):
        await page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
        found = await page.evaluate(
            "axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa', 'best-practice']})"
        )
        assert [(one["id"], one["nodes"][0]["html"][:200]) for one in found["violations"]] == [], theme


async def test_it_follows_span_and_filters_and_links_leave_it(browser: Browser, service: InProcess) -> None:
    await many(service, 3)
    past = (dt.datetime.now(dt.UTC) - dt.timedelta(hours=3)).isoformat()
    await service.post({"worker_id": "w1", "timestamp": past})
    page = await wall(browser, service, "?wall&range=1&worker=w1")
    await numbers(page, "1", "0", "1", "1")
    await expect(page.locator("#wall-span")).to_have_text("Counted in the last 1 h · worker: w1")
    await page.locator("#wall-patterns a").click()
    await expect(page.locator("#list")).to_be_visible()
    assert "wall" not in page.url
    await page.get_by_text("Settings").click()
    await page.locator("#to-wall").click()
    await expect(page.locator("#wall-numbers")).to_be_visible()
    assert "range=1" in page.url


async def test_the_screen_is_kept_on(browser: Browser, service: InProcess) -> None:
    page = await wall(browser, service, script=AWAKE)
    await expect(page.locator("#wall-screen")).to_be_empty()
    await page.evaluate("Object.defineProperty(document, 'hidden', {value: true, configurable: true}); window.lose()")
    await expect(page.locator("#wall-screen")).to_have_text("The browser lets the screen go dark.")
    assert await page.evaluate("window.locks.map(lock => lock.what)") == ["screen"]
    await page.evaluate("delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))")
    await expect(page.locator("#wall-screen")).to_be_empty()
    assert await page.evaluate("window.locks.map(lock => lock.released)") == [True, False]
    other = await wall(browser, service, script="Object.defineProperty(navigator, 'wakeLock', { value: undefined });")
    await expect(other.locator("#wall-screen")).to_contain_text("only for pages over HTTPS")


async def test_blocked_sound_is_explained_and_any_key_turns_it_on(browser: Browser, service: InProcess) -> None:
    page = await wall(browser, service)
    await expect(page.locator("#wall-sound")).to_contain_text("makes no sound until somebody clicks")
    async with page.expect_request("**/sounds/error-critical.mp3"):  # all are fetched before they are needed
        await page.reload()
    await page.keyboard.press("Shift")
    await page.keyboard.press("a")
    await expect(page.locator("#wall-sound")).to_be_empty()


async def test_the_title_of_a_hidden_wall_loses_its_colour(browser: Browser, serve: Any) -> None:
    service = await serve()
    await service.post({"error_category": "TEST_FAILURE", "message": "1 != 2", "type": "AssertionError"})
    late = "const start = setInterval; window.setInterval = (work, ms, ...more) => (ms === 1000 ? 0 : start(work, ms, ...more));"
    page = await wall(browser, service, script=late)  # a hidden tab's own timers are late
    await expect(page).to_have_title("● Calm · Errors")
    await page.evaluate("Object.defineProperty(document, 'hidden', {value: true, configurable: true})")
    await service.client.close()
    await expect(page).to_have_title("○ Not known · Errors", timeout=15_000)


async def connect_again(page: Page, service: InProcess) -> None:
    await page.evaluate("window.dispatchEvent(new Event('offline'))")
    for client in list(service.service.live.clients):
        await client.socket.close()
    await expect(page.locator("#connection")).to_have_attribute("data-state", "lost")
    await expect(page.locator("#connection")).to_have_attribute("data-state", "live", timeout=LONGEST)


async def test_it_loads_a_new_version_and_no_other(
    browser: Browser, service: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = await wall(browser, service, script="Math.random = () => 0;")
    await page.evaluate("window.same = true")

    await connect_again(page, service)
    service.service.live.version = "2"  # the page itself is still that of the old version: half of a deployment
    await connect_again(page, service)
    await page.wait_for_timeout(2500)
    assert await page.evaluate("window.same")
    monkeypatch.setattr(pages, "version", lambda: "2")
    await page.wait_for_function("() => !window.same", timeout=10_000)
    await expect(page.locator("meta[name=version]")).to_have_attribute("content", "2")
    await expect(page.locator("#wall-numbers dd")).to_have_count(4)
    due = await page.evaluate("""async () => {
        const { isDue } = await import("/static/version.js");
        const rows = [["1", "1", null, 0], ["1", "2", null, 0], ["", "2", null, 0], ["1", undefined, null, 0], ["1", "2", { version: "2", at: 0 }, 599_999],
            ["1", "2", { version: "2", at: 0 }, 600_001], ["1", "3", { version: "2", at: 0 }, 1], ["1", "2", { version: "2", at: 9 }, 1]];
        return rows.map((row) => isDue(...row));
    }""")
    assert due == [False, True, False, False, False, True, True, True]


async def test_a_page_on_a_desk_offers_a_new_version(
    browser: Browser, service: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = await wall(browser, service, "?range=6&severity=critical", "Math.random = () => 0;")
    said = "window.said = []; new MutationObserver(() => said.push(document.getElementById('polite').textContent))"
    await page.evaluate(f"{said}.observe(document.getElementById('polite'), {{ childList: true }})")
    await page.locator("#q").focus()
    address, notice = page.url, page.locator("#new-version")
    monkeypatch.setattr(pages, "version", lambda: "2")
    old = service.service.live.version
    for version in ("2", "2", old, "2"):  # connected again twice, then taken back for a while
        service.service.live.version = version
        await connect_again(page, service)
        await expect(notice).to_be_visible(visible=version == "2")
    await expect(page.locator("#q")).to_be_focused()
    assert await page.evaluate("said.filter(text => text === 'The service has a new version').length") == 2
    assert page.url == address
    await notice.get_by_role("button", name="Reload").click()
    await expect(page.locator("meta[name=version]")).to_have_attribute("content", "2")
    await expect(page.locator("#connection")).to_have_attribute("data-state", "live", timeout=LONGEST)
    await expect(notice).to_be_hidden()
    assert page.url == address


async def test_it_is_grey_while_the_service_is_away_and_comes_back_by_itself(browser: Browser, serve: Any) -> None:
    service = await serve()
    await many(service, 2)
    page = await wall(browser, service)
    await numbers(page, "2", "0", "2", "2")
    port = service.client.port
    await service.client.close()
    await expect(page.locator("#headline")).to_have_attribute("data-colour", "unknown", timeout=LONGEST)
    await expect(page.locator("#doubt")).to_contain_text("the service does not answer")
    await expect(page.locator("#wall")).to_have_css("opacity", "0.5")
    again = RunningServer(make_app(Service(service.service.settings, process=False)), port=port)
    await again.start_server()
    try:
        await expect(page.locator("#headline")).to_have_attribute("data-colour", "critical", timeout=LONGEST)
        await numbers(page, "2", "0", "2", "2")
    finally:
        await page.close()
        await again.close()


async def test_it_does_not_grow(browser: Browser, service: InProcess) -> None:
    page = await wall(browser, service)
    session = await page.context.new_cdp_session(page)

    async def counted(total: int) -> tuple[int, int]:
        await expect(page.locator("#wall-numbers dd").nth(2)).to_have_text(f"{total:,}")
        await page.wait_for_timeout(300)
        await session.send("HeapProfiler.collectGarbage")
        found = await session.send("Memory.getDOMCounters")
        return found["nodes"], found["jsEventListeners"]

    for number in range(4):
        await many(service, 100, message=f"failed {'ab'[number % 2]} times", type=f"T{number % 2}")
    before = await counted(400)
    for number in range(6):
        await many(service, 100, message=f"failed {'ab'[number % 2]} times", type=f"T{number % 2}")
        await expect(page.locator("#wall-numbers dd").nth(2)).to_have_text(f"{500 + 100 * number:,}")
    after = await counted(1000)
    assert after[0] < before[0] * 1.1, (before, after)
    assert after[1] < before[1] * 1.1, (before, after)
