"""A real Chromium for the tests of the page."""

import re
import shutil
from typing import Any
from urllib.parse import urlsplit

import pytest
from conftest import InProcess
from playwright.async_api import Browser as Chromium
from playwright.async_api import BrowserContext, Page, expect

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
needs_chromium = pytest.mark.skipif(not CHROMIUM, reason="chromium (Debian's package) is not installed")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--autoplay-policy=document-user-activation-required",
    "--process-per-site",  # for Browser, below
    # Chromium uses the last list of features only, so this list repeats the relevant features of Playwright's list. It
    # adds SpareRendererForSitePerProcess: not starting a spare renderer saves a sixth of the time per page.
    "--disable-features=SpareRendererForSitePerProcess,HttpsUpgrades,HttpsFirstBalancedModeAutoEnable,PaintHolding,"
    "OptimizationHints,MediaRouter,NetworkTimeServiceQuerying,ThirdPartyStoragePartitioning,DestroyProfileOnBrowserClose",
]  # fmt: skip
LONGEST = 45_000  # ms until the page has reconnected: it retries at least every 30 s
# Long enough for a slow machine, but shorter than 20 s, after which the page polls and thereby hides a missed update.
PATIENCE = 10_000
LOCALE = "en-GB"  # of a page that names none: a clock of 24 hours
expect.set_options(timeout=PATIENCE)


class Browser:
    """A reader's browser for each test. The first page of a test is in a context that tests share, and in its process:
    starting a process and a context is a third of the CPU time of a page. After the test, storage, cookies and the cache are
    cleared. Each further page has a context of its own, as a second reader has. What is set for a whole context, such as
    Playwright's clock, may be set in one of `new_context` only."""

    def __init__(self, chromium: Chromium) -> None:
        self.chromium = chromium
        self.shared: BrowserContext | None = None
        self.keeper: Page | None = None  # keeps the process of all services at 127.0.0.1
        self.is_taken = False
        self.origins: set[str] = set()  # that pages of this test came from

    async def new_context(self, **more: Any) -> BrowserContext:
        return await self.chromium.new_context(**{"locale": LOCALE} | more)

    async def new_page(self, **more: Any) -> Page:
        if self.is_taken or not more.keys() <= {"viewport", "color_scheme"}:
            return await self.chromium.new_page(**{"locale": LOCALE} | more)
        self.is_taken = True
        page = await (self.shared or await self._share()).new_page()
        page.on("framenavigated", lambda frame: self.origins.add("://".join(urlsplit(frame.url)[:2])))
        if "viewport" in more:
            await page.set_viewport_size(more["viewport"])
        if "color_scheme" in more:
            await page.emulate_media(color_scheme=more["color_scheme"])
        return page

    async def _share(self) -> BrowserContext:
        self.shared = await self.chromium.new_context(locale=LOCALE)
        self.keeper = await self.shared.new_page()
        await self.keeper.route("http://127.0.0.1/", lambda route: route.fulfill(body="", content_type="text/html"))
        await self.keeper.goto("http://127.0.0.1/")
        return self.shared

    async def clean(self) -> None:
        """Leaves nothing of a test to the next, whose service may have the same port."""
        self.is_taken = False
        for context in self.chromium.contexts:
            if context is not self.shared:
                await context.close()
        if not self.shared or not self.keeper:
            return
        for page in self.shared.pages:
            if page is not self.keeper:
                await page.close()
        session = await self.shared.new_cdp_session(self.keeper)
        for origin in self.origins:
            await session.send("Storage.clearDataForOrigin", {"origin": origin, "storageTypes": "all"})
        self.origins.clear()
        await session.send("Network.clearBrowserCache")
        await session.detach()
        await self.shared.clear_cookies()


async def listed(page: Page, errors: int, *, rows: int | None = None) -> None:
    """Waits until the list represents `errors` errors. With `rows`, also checks the number of rows."""
    await page.wait_for_function(
        "n => [...document.querySelectorAll('#errors li')].reduce((sum, row) => sum + Number(row.dataset.count), 0) === n",
        arg=errors, timeout=PATIENCE,
    )  # fmt: skip
    if rows is not None:
        await expect(page.locator("#errors li")).to_have_count(rows)


async def current(page: Page) -> None:
    """Waits until the rows match the range and filters in the address. Until then the page shows the previous rows."""
    await page.wait_for_function("""() => {
        const place = (query) => {
            const found = new URLSearchParams(query);
            found.delete("error");
            found.set("range", found.get("range") ?? 24);
            found.sort();
            return String(found);
        };
        const rows = [...document.querySelectorAll("#errors a.message")];
        return rows.length > 0 && rows.every((row) => place(row.search) === place(location.search));
    }""")


async def all_listed(page: Page, errors: int) -> None:
    """Loads older errors until there are no more, and waits until the list represents `errors` errors."""
    await current(page)
    while await page.locator("#older").is_visible():
        before = await page.locator("#errors li").count()
        await page.locator("#older").click()
        await page.wait_for_function("n => document.querySelectorAll('#errors li').length > n", arg=before)
    await listed(page, errors)


async def leave_details(page: Page) -> None:
    """Closes the dialog, and waits for the change of the address, which follows a moment later."""
    await page.keyboard.press("Escape")
    await expect(page.locator("#details")).to_be_hidden()
    await expect(page).not_to_have_url(re.compile("error="))


async def follow(page: Page, address: str) -> None:
    """Goes to another address of the page, which is not loaded again, as Back does."""
    await page.evaluate(
        "to => { history.pushState(null, '', to); dispatchEvent(new PopStateEvent('popstate')); }", address
    )


async def open_page(browser: Browser, service: InProcess, query: str = "", **more: Any) -> tuple[Page, list[str]]:
    """Opens the page and waits until it is live. Returns it, and a list to which its errors are added."""
    page = await browser.new_page(**more)
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    await page.goto(str(service.client.make_url(f"/error-visualization{query}")))
    await expect(page.locator("#connection")).to_have_attribute("data-state", "live", timeout=LONGEST)
    return page, complaints
