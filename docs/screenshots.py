"""Makes the pictures in docs/screenshots/ from a service with the demo's errors: `make docs`."""

import asyncio
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.async_api import async_playwright

from exporter.demo import command as demo

HERE = Path(__file__).parent / "screenshots"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-sync",
         "--disable-component-update"]  # fmt: skip
SIZES = {"desktop": (1440, 900), "phone": (390, 844)}
PANELS = {
    "summary": "#cards", "time": "section:has(#time-title)", "category": "section:has(#category-title)",
    "errors": "section:has(#errors-title)", "patterns": "section:has(#patterns-title)",
    "workers": "section:has(#workers-title)", "hardware": "#hardware-panel",
}  # fmt: skip


async def main() -> int:
    chromium = shutil.which("chromium")
    if not chromium:
        print("chromium is not installed")
        return 1
    with tempfile.TemporaryDirectory() as folder:
        service = subprocess.Popen(  # noqa: ASYNC220
            [sys.executable, "-m", "exporter", "serve", "--port", "0", "--db-path", f"{folder}/errors.duckdb"],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            assert service.stdout
            url = next(line for line in service.stdout if line.startswith("reports")).split()[1].partition("/api")[0]
            await demo.run(url, seed=7, rate=20, duration=3, backlog=500)
            await shoot(f"{url}/error-visualization", chromium)
        finally:
            service.terminate()
            service.wait(15)
    return 0


async def shoot(url: str, chromium: str) -> None:
    HERE.mkdir(exist_ok=True)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        for size, (width, height) in SIZES.items():
            for theme in ("light", "dark"):
                page = await browser.new_page(
                    viewport={"width": width, "height": height}, color_scheme=theme, locale="en-GB"
                )  # type: ignore[arg-type]
                await page.goto(url)
                await page.wait_for_selector("#by-hardware svg path", state="attached")
                await page.screenshot(path=HERE / f"page-{size}-{theme}.png")
                # What sticks while one scrolls would lie over the panels.
                for sticky in ("header", "#bar"):
                    await page.locator(sticky).evaluate("place => { place.style.position = 'static'; }")
                for name, selector in PANELS.items():
                    await page.locator(selector).screenshot(path=HERE / f"{name}-{size}-{theme}.png")
                await page.locator("#errors li:has(.critical) a.message").first.click()
                await page.wait_for_selector("#frequency time")
                await page.screenshot(path=HERE / f"details-{size}-{theme}.png")
                await page.close()
        await browser.close()


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
