"""Measures the page in a headless Chromium on a big fleet: 1,000,000 errors of 10,000 workers and 2,000 patterns. Exits
with 1 if a result exceeds `BOUNDS`.

1. Loads it five times, and each time prints the milliseconds from the navigation until the verdict is shown and until
   everything is drawn, the longest task of the main thread, the requests (without sounds) and the transferred bytes;
   requests and bytes also of the wall.
2. Sends 1,000 errors a second for 60 s, and prints the longest task, and the memory of the page after a garbage
   collection at the start, in the middle and at the end.
3. Sends 200 errors a second, and prints the CPU seconds that the service takes with no tab, with one and with ten tabs
   of one browser, alternating.
"""

import argparse
import asyncio
import itertools
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
from fill import filled
from playwright.async_api import Browser, BrowserContext, CDPSession, Page, async_playwright
from serving import Serving, reports

ERRORS, WORKERS, PATTERNS = 1_000_000, 10_000, 2_000
LOADS, RATE, TICK = 5, 1_000, 0.1
TABS, TABS_RATE, TABS_SECONDS, TABS_ROUNDS = 10, 200, 15, 3
BOUNDS = {
    "first load, bytes": 350_000, "first load, requests": 15, "first load of the wall, bytes": 350_000,
    "first load of the wall, requests": 15, "verdict, ms": 1_000, "everything drawn, ms": 2_000,
    "longest task of a load, ms": 200, "longest task of the storm, ms": 200, "growth of the memory, bytes": 3e6,
    "CPU of ten tabs, of one": 1.5,
}  # fmt: skip
SETTLED_MS = 2_000  # after the charts: the icon, sounds and the last reads
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
WATCH = """
window.longest = 0;
new PerformanceObserver((list) => {
  for (const task of list.getEntries()) window.longest = Math.max(window.longest, task.duration);
}).observe({ type: "longtask", buffered: true });
const all = ["[data-card=total_errors] .count", "#over-time svg path", "#by-worker svg path", "#by-category svg path",
  "#patterns tbody tr", "#workers tbody tr", "#errors > li", "main:not([data-loading])"];
(function look() { // what is there is shown; to ask whether it is visible would make the browser lay the page out
  if (!window.judged && document.querySelector("#verdict")?.textContent) window.judged = performance.now();
  if (all.every((one) => document.querySelector(one))) window.drawn = performance.now(); else setTimeout(look, 10);
})();
"""


async def main(seconds: float) -> int:
    measured: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "errors.duckdb")
        print(filled(path, ERRORS, workers=WORKERS, patterns=PATTERNS))
        with Serving(path) as serving:
            page = f"{serving.url}/error-visualization"
            async with aiohttp.ClientSession(serving.url) as session, async_playwright() as playwright:
                browser = await playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
                measured |= await load(browser, page, "first load")
                measured |= await load(browser, f"{page}?wall", "first load of the wall")
                measured |= await storm(browser, page, session, seconds)
                measured |= await tabs(browser, page, session, serving)
                await browser.close()
    over = [f"{name}: {measured[name]:.2f} > {bound:g}" for name, bound in BOUNDS.items() if measured[name] > bound]
    for line in over:
        print(f"bound exceeded: {line}")
    return 1 if over else 0


async def load(browser: Browser, url: str, name: str) -> dict[str, float]:
    judged, drawn, longest, sizes, counts = [], [], [], [], []
    for _ in range(LOADS):
        context = await browser.new_context(viewport={"width": 1280, "height": 900})
        page = await context.new_page()
        devtools = await context.new_cdp_session(page)
        moved: list[float] = []
        asked: set[str] = set()
        devtools.on("Network.loadingFinished", lambda event, moved=moved: moved.append(event["encodedDataLength"]))
        devtools.on("Network.requestWillBeSent", lambda event, asked=asked: asked.add(event["request"]["url"]))
        devtools.on("Network.webSocketCreated", lambda event, asked=asked: asked.add(event["url"]))
        await devtools.send("Network.enable")
        await opened(page, url)
        judged.append(await page.evaluate("window.judged"))
        drawn.append(await page.evaluate("window.drawn ?? Infinity"))
        longest.append(await page.evaluate("window.longest"))
        sizes.append(sum(moved))
        counts.append(len([address for address in asked if "/sounds/" not in address]))
        await context.close()
    print(f"{name}: {max(counts)} requests, {max(sizes) / 1000:.0f} kB; verdict after {_spread(judged)}")
    measured = {f"{name}, bytes": max(sizes), f"{name}, requests": max(counts)}
    if "wall" in url:  # it shows less
        return measured
    print(f"everything drawn after {_spread(drawn)}, longest task {_spread(longest)}")
    medians = map(statistics.median, (judged, drawn, longest))
    names = ("verdict, ms", "everything drawn, ms", "longest task of a load, ms")
    return measured | dict(zip(names, medians, strict=True))


async def opened(page: Page, url: str) -> None:
    await page.add_init_script(WATCH)
    await page.goto(url)
    await page.wait_for_selector("#by-worker svg path, #wall-patterns li", state="attached")
    await page.wait_for_timeout(SETTLED_MS)


async def storm(browser: Browser, url: str, session: aiohttp.ClientSession, seconds: float) -> dict[str, float]:
    page = await browser.new_page(viewport={"width": 1280, "height": 900})
    await opened(page, url)
    devtools = await page.context.new_cdp_session(page)
    await page.evaluate("window.longest = 0")
    memory = [await heap(devtools)]
    news = reports(WORKERS)
    for _ in range(2):
        await send(session, news, RATE, seconds / 2)
        memory.append(await heap(devtools))
    longest = await page.evaluate("window.longest")
    print(f"storm of {RATE} errors/s for {seconds:.0f} s: longest task {longest:.0f} ms")
    sizes = ", ".join(f"{size / 1e6:.1f} MB" for size in memory)
    print(f"memory of the page at the start, in the middle, at the end: {sizes}")
    await page.context.close()
    # In the first half the page fills its bounded lists. Growth in the second half would continue without bound.
    return {"longest task of the storm, ms": longest, "growth of the memory, bytes": memory[-1] - memory[1]}


async def tabs(browser: Browser, url: str, session: aiohttp.ClientSession, serving: Serving) -> dict[str, float]:
    took: dict[int, list[float]] = {0: [], 1: [], TABS: []}
    asked: dict[int, list[int]] = {many: [] for many in took}
    news = reports(WORKERS)
    for _, many in itertools.product(range(TABS_ROUNDS), took):
        context = await browser.new_context(viewport={"width": 1280, "height": 900})
        await open_tabs(context, url, many)
        requests: list[str] = []
        counting(context, requests)
        before = serving.cpu_seconds()
        await send(session, news, TABS_RATE, TABS_SECONDS)
        took[many].append(serving.cpu_seconds() - before)
        asked[many].append(len(requests))
        await context.close()
    for many, seconds in took.items():
        each = ", ".join(f"{one:.1f}" for one in seconds)
        print(f"{many} tabs: {each} CPU seconds of the service in {TABS_SECONDS} s of {TABS_RATE} errors/s;"
              f" {statistics.median(asked[many]):.0f} requests of the tabs")  # fmt: skip
    return {"CPU of ten tabs, of one": statistics.median(took[TABS]) / statistics.median(took[1])}


def counting(context: BrowserContext, requests: list[str]) -> None:
    """Adds the address of each request of the tabs to `requests`."""
    context.on("request", lambda request: requests.append(request.url))


async def open_tabs(context: BrowserContext, url: str, many: int) -> None:
    for _ in range(many):
        await opened(await context.new_page(), url)


async def send(session: aiohttp.ClientSession, news: Iterator[dict[str, Any]], rate: float, seconds: float) -> None:
    """Sends so many errors a second; what came late is sent with the next batch."""
    sent, began = 0, time.monotonic()
    while (at := time.monotonic() - began) < seconds:
        batch = list(itertools.islice(news, int(at * rate) - sent))
        if batch:
            async with session.post("/api/report-errors", json=batch) as response:
                assert response.status == 200, await response.text()
            sent += len(batch)
        await asyncio.sleep(TICK)


async def heap(devtools: CDPSession) -> float:
    await devtools.send("Performance.enable")
    await devtools.send("HeapProfiler.collectGarbage")
    metrics = (await devtools.send("Performance.getMetrics"))["metrics"]
    return float(next(metric["value"] for metric in metrics if metric["name"] == "JSHeapUsedSize"))


def _spread(milliseconds: list[float]) -> str:
    return f"{statistics.median(milliseconds):.0f} ms (most {max(milliseconds):.0f} ms)"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60, help="length of the storm (default: %(default)s)")
    sys.exit(asyncio.run(main(parser.parse_args().seconds)))
