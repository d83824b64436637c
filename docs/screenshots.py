"""Makes the pictures in docs/screenshots/ from a service with the demo's errors: `make docs`."""

import asyncio
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
from playwright.async_api import Browser, Page, async_playwright

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
RUN, TEST = "nightly/4711", "tests/test_allreduce.py::test_ring[8-nccl]"
WALL = (1920, 1080)


async def main() -> int:
    chromium = shutil.which("chromium")
    if not chromium:
        print("chromium is not installed")
        return 1
    with tempfile.TemporaryDirectory() as folder:
        HERE.mkdir(exist_ok=True)
        with serving(folder, "errors") as url:
            await demo.run(url, seed=7, rate=20, duration=3, backlog=500)
            pattern = await failed_run(url)
            async with async_playwright() as playwright:
                browser = await playwright.chromium.launch(executable_path=chromium, args=FLAGS)
                for size in SIZES:
                    for theme in ("light", "dark"):
                        await shoot(browser, url, size, theme)
                await shoot_views(browser, url, pattern, "desktop", "light")
                await shoot_views(browser, url, pattern, "phone", "dark")
                with serving(folder, "closed", "--tokens-file", f"{folder}/tokens") as closed:
                    await shoot_login(browser, closed)
                await browser.close()
    return 0


@contextmanager
def serving(folder: str, name: str, *options: str) -> Iterator[str]:
    """Runs a service and gives its address."""
    service = subprocess.Popen(
        [sys.executable, "-m", "exporter", "serve", "--port", "0", "--db-path", f"{folder}/{name}.duckdb", *options],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert service.stdout
        yield next(line for line in service.stdout if line.startswith("reports")).split()[1].partition("/api")[0]
    finally:
        service.terminate()
        service.wait(15)


async def failed_run(url: str) -> str:
    """Reports a run with failed and passed tests, and a pattern with a note and a claim. Returns the pattern's id."""
    run = {"id": RUN, "job": "nightly", "suite": "collectives", "branch": "main", "user": "ada"}
    async with aiohttp.ClientSession(url) as session:

        async def post(path: str, body: dict[str, Any]) -> Any:
            async with session.post(path, json=body, raise_for_status=True) as response:
                return await response.json()

        for rank in range(4):
            await post("/api/report-error", {
                "worker_id": f"worker-{rank}", "type": "NCCLError",
                "message": f"ncclAllReduce: unhandled system error, rank {rank} of 4 lost the link to 10.0.0.{rank}",
                "run": run, "test": {"id": TEST, "outcome": "failed"},
            })  # fmt: skip
        tests = {
            "w0": {"failed": [TEST], "passed": [f"tests/test_allreduce.py::test_ring[{n}-nccl]" for n in (1, 2, 4)]}
        }
        await post("/api/runs", {"run": run, "worker_id": "controller", "workers": tests})
        async with session.get("/api/errors/list", params={"run": RUN}) as response:
            pattern: str = (await response.json())["data"]["errors"][0]["pattern_id"]
        await post(f"/api/patterns/{pattern}/claim", {"by": "Ana"})
        await post(
            f"/api/patterns/{pattern}/note",
            {"by": "Ana", "text": "The switch of rack 4 lost a line card; see the ticket."},
        )
    return pattern


async def shoot(browser: Browser, url: str, size: str, theme: str) -> None:
    """Pictures of the page, its panels and the details of an error."""
    page = await opened(browser, f"{url}/error-visualization", size, theme)
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


async def shoot_views(browser: Browser, url: str, pattern: str, size: str, theme: str) -> None:
    """Pictures of what opens over the page, and of the wall."""
    page = await opened(browser, f"{url}/error-visualization", size, theme)

    async def picture(name: str, wait_for: str) -> None:
        await page.wait_for_selector(wait_for)
        await page.wait_for_load_state("networkidle")
        await page.screenshot(path=HERE / f"{name}-{size}-{theme}.png")

    for kind, value in {"pattern": pattern, "worker": "worker-1", "run": RUN, "test": TEST}.items():
        await page.goto(f"{url}/error-visualization?range=24&view={kind}:{quote(value, safe='')}")
        await picture(f"view-{kind}", "#details .facts")
        if kind == "pattern":
            await page.get_by_role("group", name="State of the pattern").get_by_role("button", name="Mute").click()
            await picture("state-form", "#details form")
    await page.goto(f"{url}/error-visualization")
    await page.locator(".span-now").click()
    await picture("span", "#span-sheet")
    await page.keyboard.press("Escape")
    await page.locator("summary[title=Settings]").click()
    await picture("settings", "#test-sound")
    await page.locator("#help").click()
    await picture("help", "#help-dialog")
    if size == "desktop":
        await page.set_viewport_size({"width": WALL[0], "height": WALL[1]})
        await page.goto(f"{url}/error-visualization?wall")
        await picture("wall", "#by-hardware svg path, #verdict")
    await page.close()


async def shoot_login(browser: Browser, url: str) -> None:
    for size, theme in (("desktop", "light"), ("phone", "dark")):
        page = await opened(browser, f"{url}/login", size, theme)
        await page.wait_for_selector("button")
        await page.screenshot(path=HERE / f"login-{size}-{theme}.png")
        await page.close()


async def opened(browser: Browser, url: str, size: str, theme: str) -> Page:
    width, height = SIZES[size]
    page = await browser.new_page(viewport={"width": width, "height": height}, color_scheme=theme, locale="en-GB")  # type: ignore[arg-type]
    await page.goto(url)
    return page


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
