"""Measures load time, transferred bytes, main-thread tasks and memory of the page in a headless Chromium. Exits with 1
if a result exceeds `BOUNDS`.

Prints, for 5 loads with 10,000 stored errors, the milliseconds from the navigation until the summary is drawn, the
requests (without sounds) and the transferred bytes, also those of a first load in wall mode. Then sends 1,000 errors
per second for 20 s and prints the longest task of the main thread, and the memory after a garbage collection at the
start, in the middle and at the end.
"""

import argparse
import asyncio
import itertools
import shutil
import statistics
import subprocess
import sys
import tempfile
from typing import Any

import aiohttp
from playwright.async_api import Browser, CDPSession, async_playwright
from serving import ROOT, unlimited

from exporter.demo.fleet import story

STORED, LOADS, RATE, TICK = 10_000, 5, 1_000, 0.1
BOUNDS = {
    "first load, bytes": 350_000, "first load, requests": 15, "first load of the wall, bytes": 350_000,
    "first load of the wall, requests": 15, "summary, ms": 1_000, "longest task, ms": 200,
    "growth of the memory, bytes": 3e6,
}  # fmt: skip
SETTLED_MS = 2_000  # after the charts: the icon, sounds and the last reads
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
WATCH = """
window.longest = 0;
new PerformanceObserver((list) => {
  for (const task of list.getEntries()) window.longest = Math.max(window.longest, task.duration);
}).observe({ type: "longtask", buffered: true });
(function look() {
  if (document.querySelector("[data-card=total_errors] .count")?.checkVisibility({ visibilityProperty: true }))
    window.drawn = performance.now();
  else requestAnimationFrame(look);
})();
"""


async def main(seconds: float) -> int:
    measured: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        service = subprocess.Popen(  # noqa: ASYNC220
            [sys.executable, "-m", "exporter", "serve", "--port", "0", "--db-path", f"{folder}/errors.duckdb",
             *unlimited(ROOT)],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            assert service.stdout
            url = next(line for line in service.stdout if line.startswith("reports")).split()[1].partition("/api")[0]
            reports = [moment.report for moment in itertools.islice(story(1), STORED)]
            async with aiohttp.ClientSession() as session, async_playwright() as playwright:
                await send(session, url, reports)
                browser = await playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
                measured |= await load(browser, f"{url}/error-visualization", "first load")
                measured |= await load(browser, f"{url}/error-visualization?wall", "first load of the wall")
                measured |= await storm(browser, session, url, reports, seconds)
                await browser.close()
        finally:
            service.terminate()
            service.wait(15)
    over = [f"{name}: {measured[name]:.0f} > {bound:.0f}" for name, bound in BOUNDS.items() if measured[name] > bound]
    for line in over:
        print(f"bound exceeded: {line}")
    return 1 if over else 0


async def send(session: aiohttp.ClientSession, url: str, reports: list[dict[str, Any]]) -> None:
    for start in range(0, len(reports), 500):
        async with session.post(f"{url}/api/report-errors", json=reports[start : start + 500]) as response:
            assert response.status == 200, await response.text()


async def load(browser: Browser, url: str, name: str) -> dict[str, float]:
    times, sizes, counts = [], [], []
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
        await page.add_init_script(WATCH)
        await page.goto(url)
        await page.wait_for_selector("#by-worker svg path, #wall-patterns li", state="attached")
        await page.wait_for_timeout(SETTLED_MS)
        times.append(await page.evaluate("window.drawn"))
        sizes.append(sum(moved))
        counts.append(len([address for address in asked if "/sounds/" not in address]))
        await context.close()
    print(f"{name}: {max(counts)} requests, {max(sizes) / 1000:.0f} kB")
    measured = {f"{name}, bytes": max(sizes), f"{name}, requests": max(counts)}
    if None in times:  # the wall does not show the summary
        return measured
    median, most = statistics.median(times), max(times)
    print(f"summary of {STORED} errors drawn after {median:.0f} ms (median of {LOADS} loads; most {most:.0f} ms)")
    return measured | {"summary, ms": median}


async def storm(
    browser: Browser, session: aiohttp.ClientSession, url: str, reports: list[dict[str, Any]], seconds: float
) -> dict[str, float]:
    page = await browser.new_page(viewport={"width": 1280, "height": 900})
    await page.add_init_script(WATCH)
    await page.goto(f"{url}/error-visualization")
    await page.wait_for_selector("#by-hardware svg path", state="attached")
    devtools = await page.context.new_cdp_session(page)
    await page.evaluate("window.longest = 0")
    memory = [await heap(devtools)]
    loop = asyncio.get_running_loop()
    sent, began = 0, loop.time()
    while (at := loop.time() - began) < seconds:
        due = int(at * RATE) - sent
        if due > 0:
            batch = list(itertools.islice(itertools.cycle(reports), sent % STORED, sent % STORED + due))
            await send(session, url, [one | {"timestamp": None, "event_id": None} for one in batch])
            sent += due
        if len(memory) == 1 and at > seconds / 2:
            memory.append(await heap(devtools))
        await asyncio.sleep(TICK)
    await page.wait_for_timeout(2000)
    memory.append(await heap(devtools))
    longest = await page.evaluate("window.longest")
    print(f"storm of {sent / seconds:.0f} errors/s for {seconds:.0f} s: longest task {longest:.0f} ms")
    print(
        "memory of the page at the start, in the middle, at the end: "
        + ", ".join(f"{size / 1e6:.1f} MB" for size in memory)
    )
    # In the first half the page fills its bounded lists. Growth in the second half would continue without bound.
    return {"longest task, ms": longest, "growth of the memory, bytes": memory[-1] - memory[1]}


async def heap(devtools: CDPSession) -> float:
    await devtools.send("Performance.enable")
    await devtools.send("HeapProfiler.collectGarbage")
    metrics = (await devtools.send("Performance.getMetrics"))["metrics"]
    return next(metric["value"] for metric in metrics if metric["name"] == "JSHeapUsedSize")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20, help="length of the storm (default: %(default)s)")
    sys.exit(asyncio.run(main(parser.parse_args().seconds)))
