"""How full the storage is, and errors and patterns that are kept."""

import datetime as dt
import re
from typing import Any

import pytest
from chromium import Browser, listed, needs_chromium, open_page
from conftest import InProcess, eventually
from playwright.async_api import Page, Route, WebSocketRoute, expect
from stored import DISK, FULL, STORAGE
from test_page_accessibility import AXE, violations

pytestmark = [pytest.mark.html, needs_chromium]
PHONE = {"width": 360, "height": 780}
ASKED = """
window.asked = [];
const ask = window.fetch;
window.fetch = (path, ...more) => {
  if (path === "/api/storage") window.asked.push(document.hidden);
  return ask(path, ...more);
};
"""


class Answer:
    """What the page gets from `/api/storage`; `more` replaces fields of STORAGE."""

    def __init__(self) -> None:
        self.more: dict[str, Any] = {}

    async def give(self, route: Route) -> None:
        await route.fulfill(json={"status": "success", "data": STORAGE | self.more})

    async def show(self, page: Page, **more: Any) -> None:
        """Has the page ask again, and waits until it has drawn the answer."""
        self.more = {"errors": self.more.get("errors", 1000) + 1} | more
        await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        await expect(page.locator("#storage")).to_contain_text(f"{self.more['errors']:,} error")


async def open_with(browser: Browser, service: InProcess, **more: Any) -> tuple[Page, Answer]:
    """Opens the page, which gets made-up answers about the storage."""
    page = await browser.new_page(**more)
    answer = Answer()
    await page.route("**/api/storage", answer.give)
    await page.goto(str(service.client.make_url("/error-visualization")))
    await expect(page.locator("#storage")).to_contain_text("errors since")
    await expect(page.locator("#connection")).to_have_attribute("data-state", "live")
    return page, answer


async def test_the_line_says_how_full_the_storage_is(browser: Browser, serve: Any) -> None:
    service: InProcess = await serve(retention="12h", max_db_size="2GB")
    page, complaints = await open_page(browser, service)
    line = page.locator("#storage")
    await expect(line).to_contain_text("No errors stored · ")
    await service.post()
    await page.reload()
    await expect(line).to_contain_text("1 error since ")
    await expect(line).to_contain_text("kept for 12 hours · ")
    await expect(line).to_contain_text("B of 2 GB")
    await expect(page.locator("#full")).to_be_hidden()
    assert complaints == []


async def test_the_line_in_each_case(browser: Browser, service: InProcess) -> None:
    page, answer = await open_with(browser, service, locale="en-GB")
    line = page.locator("#storage")
    await expect(line).to_have_text("312,480 errors since 27 Oct 2024, kept for 30 days · 41 MB of 20 GB")
    await answer.show(page, max_bytes=None, pinned_errors=2, pinned_patterns=1)
    await expect(line).to_contain_text(
        "kept for 30 days (2 errors and 1 pattern for ever) · 41 MB, 71 GB free on this disk"
    )
    await answer.show(page, retention_seconds=None, pinned_errors=1)
    await expect(line).to_contain_text("kept until the database is full (1 error for ever) · 41 MB of 20 GB")
    await answer.show(page, retention_seconds=None, max_bytes=None, pinned_errors=1)
    await expect(line).to_contain_text("kept for ever · 41 MB, 71 GB")
    now = dt.datetime.now(dt.UTC)
    await answer.show(page, retention_seconds=5400.0, oldest=now.isoformat(), used_bytes=1_234_567)
    await expect(line).to_contain_text("kept for 90 minutes · 1.23 MB of")
    await expect(line.locator("time")).to_have_text(now.astimezone().strftime("%H:%M:%S"))


async def test_numbers_are_in_the_locale_of_the_reader(browser: Browser, service: InProcess) -> None:
    page, answer = await open_with(browser, service, locale="de-DE")
    await expect(page.locator("#storage")).to_have_text(
        "312.480 errors since 27 Oct 2024, kept for 30 days · 41 MB of 20 GB"
    )
    answer.more = {"used_bytes": 1_234_567_890}
    await page.reload()
    await expect(page.locator("#storage")).to_contain_text("1,23 GB of 20 GB")


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"used_bytes": 18_000_000_000}, []),
        (FULL, ["18.6 GB of 20 GB. When it is full, the oldest errors are deleted before they are 30 days old. "
                "To keep them, raise max_db_size"]),
        (FULL | {"retention_seconds": None}, []),
        (FULL | {"max_bytes": None}, []),
        ({"disk_free_bytes": 10 * 10**9}, []),
        (DISK, ["The disk is nearly full: 9.99 GB of 100 GB are free. Without free space no error can be stored. Free space"]),
        (FULL | DISK, ["The disk is nearly full", "The database is nearly full"]),
    ],
)  # fmt: skip
async def test_a_warning_when_space_runs_out(
    browser: Browser, service: InProcess, more: dict[str, Any], says: list[str]
) -> None:
    page, answer = await open_with(browser, service)
    await answer.show(page, **more)
    await expect(page.locator("#full li")).to_have_count(len(says))
    for place, text in zip(await page.locator("#full li").all(), says, strict=True):
        await expect(place).to_contain_text(text)
        await expect(page.locator("#polite")).to_contain_text(text)
    await answer.show(page)
    await expect(page.locator("#full")).to_be_hidden()


async def test_a_warning_waits_while_somebody_reads(browser: Browser, service: InProcess) -> None:
    await service.post()
    page, answer = await open_with(browser, service)
    await page.locator("#errors a.message").hover()
    await answer.show(page, **FULL)
    await expect(page.locator("#full")).to_be_hidden()
    await page.mouse.move(1, 1)
    await expect(page.locator("#full")).to_be_visible()


async def test_it_is_asked_once_a_minute_while_the_page_is_seen(browser: Browser, service: InProcess) -> None:
    page = await (await browser.new_context()).new_page()
    await page.clock.install()
    await page.add_init_script(ASKED)
    # Without live updates: their pongs take real time, and a connection that is lost and comes back asks, too.
    await page.route_web_socket("**/ws/error-visualization", lambda _: None)
    await page.goto(str(service.client.make_url("/error-visualization")))

    async def asked(times: int) -> None:
        await eventually(lambda: seen(times))

    async def seen(times: int) -> bool:
        return await page.evaluate("window.asked") == [False] * times  # whether the page was hidden

    await asked(1)
    await page.clock.fast_forward(30_000)
    await asked(1)
    await page.clock.fast_forward(31_000)
    await asked(2)
    await page.locator("#pause").check()
    await page.clock.fast_forward(61_000)
    await asked(2)
    await page.locator("#pause").uncheck()
    await page.evaluate("Object.defineProperty(document, 'hidden', {value: true, configurable: true})")
    await page.clock.fast_forward(61_000)
    await asked(2)
    await page.evaluate("delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))")
    await asked(3)


async def test_without_an_answer_the_line_says_since_when(browser: Browser, service: InProcess) -> None:
    page, answer = await open_with(browser, service)
    await answer.show(page, **FULL)
    seen = "document.dispatchEvent(new Event('visibilitychange'))"
    await page.route("**/api/storage", lambda route: route.abort())
    await page.evaluate(seen)
    for place in ("#storage", "#full"):
        await expect(page.locator(place)).to_contain_text(" · as of ")
        await expect(page.locator(f"{place} time").last).to_have_text(re.compile(r"^\d\d:\d\d:\d\d$"))
    await expect(page.locator("#storage")).to_contain_text("1,001 errors")
    await page.reload()
    await expect(page.locator("#storage")).to_have_text("The service does not say how full its storage is.")
    await expect(page.locator("#full")).to_be_hidden()
    await page.unroute_all()
    await page.evaluate(seen)
    await expect(page.locator("#storage")).to_contain_text("No errors stored")
    await expect(page.locator("#storage")).not_to_contain_text("as of")


async def test_it_is_asked_again_after_a_new_connection(browser: Browser, service: InProcess) -> None:
    page = await browser.new_page()
    sockets: list[WebSocketRoute] = []

    def connect(socket: WebSocketRoute) -> None:
        sockets.append(socket)
        socket.connect_to_server()

    await page.route_web_socket("**/ws/**", connect)
    await page.route("**/api/storage", lambda route: route.abort())
    await page.goto(str(service.client.make_url("/error-visualization")))
    await expect(page.locator("#storage")).to_have_text("The service does not say how full its storage is.")
    await expect(page.locator("#connection")).to_have_attribute("data-state", "live")
    await page.unroute_all()
    await sockets[0].close()
    await expect(page.locator("#storage")).to_contain_text("No errors stored")


@pytest.mark.parametrize("more", [{}, {"viewport": PHONE, "color_scheme": "dark"}], ids=["wide", "phone"])
async def test_an_error_is_kept_by_keyboard(browser: Browser, service: InProcess, more: dict[str, Any]) -> None:
    id_ = (await service.post())["id"]
    page, complaints = await open_page(browser, service, f"?error={id_}", **more)
    for key, name, word, pinned in (
        ("Enter", "Keep this error", "Keep", False),
        ("Space", "Kept: this error", "Kept", True),
        ("Enter", "Keep this error", "Keep", False),
    ):
        button = page.get_by_role("button", name=name, pressed=pinned)
        await expect(button).to_have_text(word)
        await expect(button).to_have_attribute("title", re.compile("^A kept error is not deleted"))
        assert (await service.get(f"/api/errors/{id_}"))["pinned"] is pinned
        await button.press(key)
        await expect(page.locator("#details .keep")).to_have_attribute("aria-pressed", str(not pinned).lower())
        await expect(page.locator("#details .keep")).to_be_focused()
        assert (await service.get(f"/api/errors/{id_}"))["pinned"] is not pinned
        if not pinned:
            await page.reload()
    assert complaints == []


async def test_a_pattern_is_kept_and_its_errors_say_so(browser: Browser, service: InProcess) -> None:
    await service.post()
    (pattern,) = (await service.get("/api/patterns"))["patterns"]
    page, complaints = await open_page(browser, service, f"?pattern={pattern['pattern_id']}")
    await page.get_by_role("button", name="Keep this pattern", pressed=False).click()
    await expect(page.get_by_role("button", name="Kept: this pattern", pressed=True)).to_be_visible()
    assert (await service.get(f"/api/patterns/{pattern['pattern_id']}"))["pinned"]
    await listed(page, 1)
    await page.locator("#errors a.message").click()
    await expect(page.locator("#pattern-kept")).to_have_text("its pattern is kept")
    await expect(page.get_by_role("button", name="Keep this error", pressed=False)).to_be_visible()
    await page.reload()
    await page.keyboard.press("Escape")
    await page.get_by_role("button", name="Kept: this pattern", pressed=True).click()
    await expect(page.get_by_role("button", name="Keep this pattern", pressed=False)).to_be_visible()
    assert not (await service.get(f"/api/patterns/{pattern['pattern_id']}"))["pinned"]
    assert complaints == []


async def test_a_failure_to_keep_is_shown_next_to_the_button(browser: Browser, service: InProcess) -> None:
    id_ = (await service.post())["id"]
    page, _ = await open_page(browser, service, f"?error={id_}")
    button, problem = page.locator("#details .keep"), page.locator("#details").get_by_role("alert")
    refusal = {"status": "error", "message": "not now", "field": ""}
    await page.route("**/pin", lambda route: route.fulfill(status=503, json=refusal))
    await button.click()
    await expect(problem).to_have_text("not now")
    await page.route("**/pin", lambda route: route.abort())
    await button.click()
    await expect(problem).to_have_text("The service does not answer.")
    await expect(button).to_have_attribute("aria-pressed", "false")
    await page.unroute_all()
    await button.click()
    await expect(button).to_have_text("Kept")
    await expect(problem).to_be_hidden()


@pytest.mark.skipif(not AXE.exists(), reason="axe-core is not installed (make test installs it)")
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
async def test_no_violation(browser: Browser, service: InProcess, theme: str, width: int) -> None:
    await service.post()
    (pattern,) = (await service.get("/api/patterns"))["patterns"]
    page, answer = await open_with(browser, service, color_scheme=theme, viewport={"width": width, "height": 900})
    await page.goto(f"{page.url}?pattern={pattern['pattern_id']}")
    await page.get_by_role("button", name="Keep this pattern").click()
    await expect(page.locator("#storage")).to_be_visible()
    await page.mouse.move(1, 1)
    await answer.show(page, **FULL, **DISK)
    await expect(page.locator("#full li")).to_have_count(2)
    assert await violations(page) == []
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await page.locator("#errors a.message").click()
    await page.get_by_role("button", name="Keep this error").click()
    await expect(page.get_by_role("button", name="Kept: this error")).to_be_visible()
    assert await violations(page, "'#details'") == []
