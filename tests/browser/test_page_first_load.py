"""What the first load of the page costs, and that the page works as a bundle and as single modules."""

from pathlib import Path
from shutil import copytree, ignore_patterns
from urllib.parse import urlsplit

import pytest
from bundle import build_bundle
from chromium import Browser, listed, needs_chromium, open_page
from conftest import InProcess
from playwright.async_api import Page, expect
from test_overview import load, reports

from exporter.http import pages

pytestmark = [pytest.mark.html, needs_chromium]
MOST_REQUESTS, MOST_BYTES = 15, 350_000  # issue 15; docs/page.md
SETTLED_MS = 1_000
RUN = {
    "run": {"id": "nightly/7"},
    "test": {"id": "t::bad"},
    "devices": ["GPU-1"],
    "hardware_context": {"hardware_type": "cuda"},
}


class Loaded:
    """Counts requests and bytes of a page from now on, as DevTools does."""

    def __init__(self) -> None:
        self.urls: dict[str, str] = {}
        self.sizes: dict[str, int] = {}

    async def watch(self, page: Page) -> None:
        devtools = await page.context.new_cdp_session(page)
        devtools.on(
            "Network.requestWillBeSent", lambda event: self.urls.update({event["requestId"]: event["request"]["url"]})
        )
        devtools.on("Network.webSocketCreated", lambda event: self.urls.update({event["requestId"]: event["url"]}))
        devtools.on(
            "Network.loadingFinished", lambda event: self.sizes.update({event["requestId"]: event["encodedDataLength"]})
        )
        await devtools.send("Network.enable")
        await devtools.send("Network.setCacheDisabled", {"cacheDisabled": True})

    def paths(self) -> list[str]:
        """Paths of different addresses: on a slow machine, the first poll comes before the page is complete."""
        return sorted(urlsplit(url).path for url in set(self.urls.values()))


async def test_the_first_load_is_few_requests_and_few_bytes(browser: Browser, service: InProcess) -> None:
    build_bundle()
    await load(service, reports(2_000, 20))
    await service.post(RUN)
    loaded, page = Loaded(), await browser.new_page(viewport={"width": 1440, "height": 900})
    await loaded.watch(page)
    await page.goto(str(service.client.make_url("/error-visualization")))
    await expect(page.locator("#rankings-panel")).to_be_visible()  # the last that is fetched
    await expect(page.locator("#by-worker svg path").first).to_be_attached()
    await page.wait_for_timeout(SETTLED_MS)
    paths = loaded.paths()
    assert {
        "/static/bundle/page.js",
        "/static/bundle/page.css",
        "/static/vendor/echarts.js",
        "/ws/error-visualization",
    } <= set(paths)
    assert len(paths) <= MOST_REQUESTS, paths
    assert sum(loaded.sizes.values()) <= MOST_BYTES


async def test_the_first_load_of_a_wall_has_no_charts(browser: Browser, service: InProcess) -> None:
    build_bundle()
    await load(service, reports(2_000, 20))
    loaded, page = Loaded(), await browser.new_page(viewport={"width": 1920, "height": 1080})
    await loaded.watch(page)
    await page.goto(str(service.client.make_url("/error-visualization?wall")))
    await expect(page.locator("#wall-patterns li").first).to_be_visible()
    await page.wait_for_timeout(SETTLED_MS)
    paths = loaded.paths()
    assert "/static/ticks.js" in paths  # a worker stays a file of its own
    assert "/static/vendor/echarts.js" not in paths
    assert len([path for path in paths if not path.startswith("/sounds/")]) <= MOST_REQUESTS, paths
    assert sum(loaded.sizes.values()) <= MOST_BYTES


async def test_without_a_bundle_the_page_works_and_shows_an_edit_after_a_reload(
    browser: Browser, service: InProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_bundle()
    copy = copytree(pages.PAGE, tmp_path / "page", ignore=ignore_patterns("vendor"))
    monkeypatch.setattr(pages, "PAGE", copy)
    await service.post()
    page, complaints = await open_page(browser, service)
    await listed(page, 1)
    scripts = "[...document.scripts].map(script => new URL(script.src).pathname)"
    assert await page.evaluate(scripts) == ["/static/theme.js", "/static/bundle/page.js"]
    entry = copy / "page.js"
    entry.write_text(entry.read_text() + "\ndocument.title = 'edited';\n")
    complaints.clear()  # the charting library is not in the copy
    await page.reload()
    assert await page.evaluate(scripts) == ["/static/theme.js", "/static/page.js"]
    await expect(page).to_have_title("edited")
    await listed(page, 1)
    assert [text for text in complaints if "vendor" not in text and "404" not in text] == []
