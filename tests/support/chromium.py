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
    # Chromium uses the last list of features only, so this list repeats the relevant features of Playwright's list. It
    # adds SpareRendererForSitePerProcess: not starting a spare renderer saves a sixth of the time per page.
    "--disable-features=SpareRendererForSitePerProcess,HttpsUpgrades,HttpsFirstBalancedModeAutoEnable,PaintHolding,"
    "OptimizationHints,MediaRouter,NetworkTimeServiceQuerying,ThirdPartyStoragePartitioning,DestroyProfileOnBrowserClose",
]  # fmt: skip
LONGEST = 45_000  # ms until the page has reconnected: it retries at least every 30 s
# Long enough for a slow machine, but shorter than 20 s, after which the page polls and thereby hides a missed update.
PATIENCE = 10_000
expect.set_options(timeout=PATIENCE)


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


async def open_page(browser: Browser, service: InProcess, query: str = "", **more: Any) -> tuple[Page, list[str]]:
    """Opens the page and waits until it is live. Returns it, and a list to which its errors are added."""
    page = await browser.new_page(**more)
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    await page.goto(str(service.client.make_url(f"/error-visualization{query}")))
    await expect(page.locator("#connection")).to_have_attribute("data-state", "live", timeout=LONGEST)
    return page, complaints
