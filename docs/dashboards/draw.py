"""Draws what dashboards show of a made-up fleet into NAME-light.png and NAME-dark.png beside this file: `make docs`.

    story.py ─► scrapes.py, service.py ─► blocks.py ─► results.py ─► page.html, *.js ─► pictures
    errors      metrics of the service    Prometheus   of queries    in Chromium

The pictures are not made by Grafana, which is not run here. They are close to it: the same results in the same places,
units and colours, drawn by the page's charting library.
"""

import asyncio
import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

import blocks
import palette
import results
from playwright.async_api import Browser, async_playwright

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parents[1]
LIBRARY: Final = ROOT / ".venv/node_modules/echarts/dist/echarts.min.js"  # whole; the page's bundle has only bars
SCRIPTS: Final = ("units.js", "fields.js", "graphs.js", "panels.js")
FLAGS: Final = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")


def shown() -> dict[str, Any]:
    """Returns what each dashboard shows, by the name of its file."""
    files = sorted((ROOT / "grafana/dashboards").glob("*.json"))
    with tempfile.TemporaryDirectory() as folder:
        blocks.write(Path(folder))
        with blocks.prometheus(Path(folder)) as url:
            return {file.stem: results.drawn(json.loads(file.read_text("utf-8")), url) for file in files}


async def shoot(browser: Browser, name: str, dashboard: Any, theme: str) -> None:
    page = await browser.new_page(viewport={"width": results.WIDTH, "height": 800}, locale="en-GB", timezone_id="UTC")
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    await page.goto((HERE / "page.html").as_uri())
    for script in (LIBRARY, *(HERE / script for script in SCRIPTS)):
        await page.add_script_tag(path=script)
    await page.evaluate("([dashboard, theme]) => draw(dashboard, theme)", [dashboard, theme])
    picture = await palette.reduced(page, await page.screenshot(full_page=True))
    (HERE / f"{name}-{theme}.png").write_bytes(picture)
    await page.close()
    if faults:
        raise SystemExit(f"{name}: {faults}")


async def main() -> int:
    chromium = shutil.which("chromium")
    if not chromium or not shutil.which("prometheus") or not shutil.which("promtool"):
        print("chromium, prometheus or promtool is not installed")
        return 1
    dashboards = shown()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        for name, dashboard in dashboards.items():
            for theme in ("light", "dark"):
                await shoot(browser, name, dashboard, theme)
        await browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
