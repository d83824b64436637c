"""A real Chromium for the tests of the page."""

import re
import shutil
from typing import Any

import pytest
from conftest import InProcess
from playwright.async_api import Browser, Page, expect

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
needs_chromium = pytest.mark.skipif(not CHROMIUM, reason="chromium (Debian's package) is not installed")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--autoplay-policy=document-user-activation-required",
    # The last list of features counts, so it has of Playwright's what matters here; new in it is that no renderer is
    # started for a page that may come next, a sixth of what a page costs.
    "--disable-features=SpareRendererForSitePerProcess,HttpsUpgrades,HttpsFirstBalancedModeAutoEnable,PaintHolding,"
    "OptimizationHints,MediaRouter,NetworkTimeServiceQuerying,ThirdPartyStoragePartitioning,DestroyProfileOnBrowserClose",
]  # fmt: skip
LONGEST = 45_000  # ms until the page has come back by itself: it tries at least every 30 s
# For a machine that is slow or busy; but not 20 s, after which the page looks again by itself whatever it missed.
PATIENCE = 10_000
expect.set_options(timeout=PATIENCE)


async def listed(page: Page, errors: int, *, rows: int | None = None) -> None:
    """Waits until the list stands for so many errors, in so many rows where repeats are folded."""
    await page.wait_for_function(
        "n => [...document.querySelectorAll('#errors li')].reduce((sum, row) => sum + Number(row.dataset.count), 0) === n",
        arg=errors, timeout=PATIENCE,
    )  # fmt: skip
    if rows is not None:
        await expect(page.locator("#errors li")).to_have_count(rows)


async def current(page: Page) -> None:
    """Waits until the rows are those of the range and the filters in the address: until then the ones before stay."""
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
    """Has older errors shown until there are no more; then the list stands for so many."""
    await current(page)
    while await page.locator("#older").is_visible():
        before = await page.locator("#errors li").count()
        await page.locator("#older").click()
        await page.wait_for_function("n => document.querySelectorAll('#errors li').length > n", arg=before)
    await listed(page, errors)


async def leave_details(page: Page) -> None:
    """The dialog closes at once; the browser goes back in its history a moment later."""
    await page.keyboard.press("Escape")
    await expect(page.locator("#details")).to_be_hidden()
    await expect(page).not_to_have_url(re.compile("error="))


async def open_page(browser: Browser, service: InProcess, query: str = "", **more: Any) -> tuple[Page, list[str]]:
    """The page once it is live, and a list of what it complains of."""
    page = await browser.new_page(**more)
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    await page.goto(str(service.client.make_url(f"/error-visualization{query}")))
    await expect(page.locator("#connection")).to_have_attribute("data-state", "live", timeout=LONGEST)
    return page, complaints
