"""A real Chromium for the tests of the page."""

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
]  # fmt: skip


async def listed(page: Page, errors: int, *, rows: int | None = None) -> None:
    """Waits until the list stands for so many errors, in so many rows where repeats are folded."""
    await page.wait_for_function(
        "n => [...document.querySelectorAll('#errors li')].reduce((sum, row) => sum + Number(row.dataset.count), 0) === n",
        arg=errors, timeout=5000,
    )  # fmt: skip
    if rows is not None:
        await expect(page.locator("#errors li")).to_have_count(rows)


async def open_page(browser: Browser, service: InProcess, query: str = "", **more: Any) -> tuple[Page, list[str]]:
    """The page once it is live, and a list of what it complains of."""
    page = await browser.new_page(**more)
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    await page.goto(str(service.client.make_url(f"/error-visualization{query}")))
    await expect(page.locator("#connection")).to_have_attribute("data-state", "live")
    return page, complaints
