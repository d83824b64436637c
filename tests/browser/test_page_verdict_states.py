"""Each state of the verdict: what it says, in which colour, and that it can be read and heard everywhere."""

import asyncio
import json
from typing import get_args

import pytest
from chromium import Browser, needs_chromium, open_page
from conftest import InProcess
from playwright.async_api import Page, Route, expect
from verdicts import Verdicts

from exporter.judgement.result import Rule

pytestmark = [pytest.mark.html, needs_chromium]
SIZES = ((1920, 1080), (1280, 720))
TIME = {"text": "02:14 UTC", "time": "2026-11-26T02:14:03.120Z"}
# What the service says in each state: rule, colour, severity, pieces.
STATES: list[tuple[str, str, str, list[dict[str, str]]]] = [
    ("critical", "critical", "critical", [{"text": "Critical since "}, TIME, {"text": ": 300 critical errors on 20 workers."}]),
    ("recovering", "warning", "warning", [{"text": "No critical error for 6 min, after 1 on w1, \"it broke\", at "}, TIME, {"text": "."}]),
    ("surge", "warning", "warning", [{"text": "Warnings surge since "}, TIME, {"text": ": 120 in the last 10 min on w1."}]),
    ("silent", "warning", "warning", [{"text": "Silent since its critical error at "}, TIME, {"text": ", 12 min ago: w1."}]),
    ("blind", "unknown", "unknown", [{"text": "Not known: the errors before "}, TIME, {"text": " could not be read; no critical error since then."}]),
    ("away", "unknown", "unknown", [{"text": "Not known yet: the service did not run from "}, TIME, {"text": " to "}, TIME, {"text": "."}]),
    ("empty", "unknown", "unknown", [{"text": "No current report has arrived yet, so nothing is known about the workers."}]),
    ("quiet", "unknown", "unknown", [{"text": "Nothing was reported for 2 h, where about 40 reports an hour are usual: the workers are idle or cut off."}]),
    ("calm", "unknown", "calm", [{"text": "As of "}, TIME, {"text": " (9 reports behind), calm: the last critical error was 3 h ago."}]),
    ("calm", "unknown", "calm", [{"text": "Reports are refused since "}, TIME, {"text": " (the disk is full); before that, calm: no critical error."}]),
    ("calm", "calm", "calm", [{"text": "Calm: the last critical error was 3 h ago; 1 error came in that happened on 15 March 2025."}]),
    ("calm", "calm", "calm", [{"text": "Calm: the last critical error was 3 h ago."}]),
]  # fmt: skip
SIGNS = {
    "critical": ("▲", "▲ Critical"), "warning": ("◆", "◆ Warning"), "calm": ("●", "● Calm"), "unknown": ("○", "○ Not known"),
}  # fmt: skip
# The contrast of a text with what is behind it, by WCAG 2; and its size in pixels.
LOOKS = """(place) => {
    const pixel = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
    const rgba = (css) => {
        pixel.clearRect(0, 0, 1, 1);
        pixel.fillStyle = css;
        pixel.fillRect(0, 0, 1, 1);
        return pixel.getImageData(0, 0, 1, 1).data;
    };
    const light = (css) => {
        const [r, g, b] = [...rgba(css)].map((one) => one / 255).map((one) => (one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const host = document.querySelector(place);
    let behind = host;
    while (rgba(getComputedStyle(behind).backgroundColor)[3] === 0) behind = behind.parentElement;
    const [a, b] = [light(getComputedStyle(host).color), light(getComputedStyle(behind).backgroundColor)];
    return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), parseFloat(getComputedStyle(host).fontSize)];
}"""
CUT = """() => {
    const box = document.querySelector("#verdict"), range = document.createRange(), page = document.documentElement;
    range.selectNodeContents(box);
    const [text, around, notes] = [range, box, document.querySelector("#wall-notes")].map((one) => one.getBoundingClientRect());
    const screen = innerWidth > 640 && notes.bottom > innerHeight; // a phone scrolls
    return text.bottom > around.bottom + 1 || text.right > around.right + 1 || screen || page.scrollWidth > innerWidth;
}"""


@pytest.fixture
async def verdicts(service: InProcess) -> Verdicts:
    return await Verdicts.of(service)


def test_every_rule_has_a_state() -> None:
    assert {rule for rule, *_ in STATES} == set(get_args(Rule))


async def readable(page: Page, *places: str) -> None:
    for theme in ("light", "dark"):
        await page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
        for place in places:
            contrast, _ = await page.evaluate(LOOKS, place)
            assert contrast >= 4.5, (theme, place, await page.locator("#headline").get_attribute("data-colour"))


@pytest.mark.parametrize("query", ["", "?wall"])
async def test_each_state(browser: Browser, service: InProcess, verdicts: Verdicts, query: str) -> None:
    page, complaints = await open_page(browser, service, query, viewport={"width": 1920, "height": 1080})
    local = await page.evaluate(
        "(iso) => new Date(iso).toLocaleTimeString([], {hour: '2-digit', minute: '2-digit', hourCycle: 'h23'})",
        TIME["time"],
    )
    for rule, colour, severity, pieces in STATES:
        verdicts.say(rule, colour, severity, pieces)
        mark, title = SIGNS[colour]
        start, end = pieces[0]["text"].split(" ")[0], pieces[-1]["text"]
        await expect(page.locator("#verdict")).to_contain_text(f"{mark} {start}")
        await expect(page.locator("#verdict")).to_contain_text(end)
        await expect(page.locator("#verdict time")).to_have_count(sum("time" in piece for piece in pieces))
        if TIME in pieces:
            await expect(page.locator("#verdict time").first).to_contain_text(local)
        await expect(page.locator("#headline")).to_have_attribute("data-colour", colour)
        await expect(page.locator("#doubt")).to_be_empty()
        if query:
            await expect(page).to_have_title(f"{title} · Errors")
            await expect(page.locator("link[rel=icon]")).to_have_attribute("href", f"/static/icon-{colour}.svg")
            for place in ("#verdict strong", "#verdict .mark"):
                assert (await page.evaluate(LOOKS, place))[1] >= 1080 * 0.06, (rule, place)
        await readable(page, "#verdict", "#verdict strong", "#verdict .mark")
    assert complaints == []


async def test_doubt_and_own_counts_can_be_read_on_the_wall(
    browser: Browser, service: InProcess, verdicts: Verdicts
) -> None:
    page = await (await browser.new_context(viewport={"width": 1920, "height": 1080})).new_page()
    await page.add_init_script(
        "localStorage.setItem('error-visualization.counted',"
        " JSON.stringify({since: new Date(Date.now() - 60_000).toISOString(), before: null, at: 1}))"
    )
    await page.clock.install()
    await page.goto(str(service.client.make_url("/error-visualization?wall")))
    for _, colour, severity, pieces in STATES[:2]:
        verdicts.say("critical", colour, severity, pieces)
        await expect(page.locator("#headline")).to_have_attribute("data-colour", colour)
        await readable(page, "#counted", "#count-undo", "#counted time")
    await page.route("**/api/verdict", lambda route: route.abort())
    await page.clock.run_for(12_000)
    await expect(page.locator("#doubt")).to_contain_text("the service does not answer")
    await readable(page, "#doubt", "#doubt time", "#verdict strong", "#counted", "#count-undo")


async def test_nothing_of_a_long_verdict_is_lost_on_a_wall(
    browser: Browser, service: InProcess, verdicts: Verdicts
) -> None:
    page, _ = await open_page(browser, service, "?wall", viewport={"width": 1920, "height": 1080})
    name = "w" * 60
    clause = f"; 4 workers silent since their critical errors: {name}, {name}, {name} and {name}"
    long = f': 12,345 critical errors on {name} ({name}, all in run {name}), all of the new pattern "{"x " * 40}", first on {name}'
    for more, least in (("", 0.06), (long, 0.02), (long + clause * 2, 0.015)):
        verdicts.say("critical", "critical", pieces=[{"text": "Critical since "}, TIME, {"text": f"{more}. END"}])
        await expect(page.locator("#verdict")).to_contain_text("END")
        for wide, high in SIZES:
            await page.set_viewport_size({"width": wide, "height": high})
            await page.wait_for_function(f"() => !({CUT})()")
            assert (await page.evaluate(LOOKS, "#verdict strong"))[1] >= high * least, (len(more), high)
        for wide in (390, 320):
            await page.set_viewport_size({"width": wide, "height": 844})
            await page.wait_for_function(f"() => !({CUT})()")
            assert (await page.evaluate(LOOKS, "#verdict strong"))[1] >= (12 if more else 22), (len(more), wide)
    await page.set_viewport_size({"width": SIZES[-1][0], "height": SIZES[-1][1]})
    verdicts.say("calm", "calm")
    await expect(page.locator("#verdict")).to_contain_text("calm.")
    assert (await page.evaluate(LOOKS, "#verdict strong"))[1] >= SIZES[-1][1] * 0.06


async def test_an_old_answer_changes_nothing_and_another_colour_is_announced(
    browser: Browser, service: InProcess, verdicts: Verdicts
) -> None:
    await service.post({"error_category": "TEST_FAILURE", "message": "1 != 2", "type": "AssertionError"})
    verdicts.say("calm", "calm")
    held: asyncio.Queue[tuple[Route, bytes]] = asyncio.Queue()
    page = await browser.new_page()

    async def hold(route: Route) -> None:
        await held.put((route, b'{"status": "success", "data": ' + verdicts.encoded() + b"}"))

    await page.route("**/api/verdict", hold)
    await page.goto(str(service.client.make_url("/error-visualization")))
    await expect(page.locator("#headline")).to_have_attribute("data-colour", "calm")
    verdicts.say("surge", "warning")
    await expect(page.locator("#headline")).to_have_attribute("data-colour", "warning")
    await expect(page.locator("#polite")).to_have_text("surge.")
    route, calm = await held.get()
    assert json.loads(calm)["data"]["colour"] == "calm"
    await route.fulfill(body=calm, content_type="application/json")
    await page.wait_for_timeout(500)
    await expect(page.locator("#headline")).to_have_attribute("data-colour", "warning")
    # What lies under an open dialog is not read, so it is announced in the dialog.
    await page.locator("#errors a.message").first.click()
    verdicts.say("silent", "critical", pieces=[{"text": "Critical since now: 1 error."}])
    await expect(page.locator("#details > .polite[role=status]")).to_have_text("Critical since now")
    await service.post({"worker_id": "bad"})
    await expect(page.locator("#details > .assertive[role=alert]")).to_contain_text("Critical error on bad")
    # After a pause the newest verdict is shown at once.
    await page.keyboard.press("Escape")
    await page.locator("#pause").check()
    await expect(page.locator("#doubt")).to_contain_text("the page is paused")
    verdicts.say("calm", "calm")
    await page.wait_for_timeout(300)
    await page.evaluate("""() => {
        window.shown = [];
        new MutationObserver(() => window.shown.push(document.querySelector("#headline").dataset.colour))
            .observe(document.querySelector("#headline"), { attributes: true });
    }""")
    await page.locator("#pause").uncheck()
    await expect(page.locator("#headline")).to_have_attribute("data-colour", "calm", timeout=900)
    assert await page.evaluate("window.shown") == ["calm"]


async def test_the_verdict_does_not_wait_for_the_numbers(
    browser: Browser, service: InProcess, verdicts: Verdicts
) -> None:
    verdicts.say("critical", "critical")
    for query in ("", "?wall"):
        page = await browser.new_page()
        await page.route("**/api/errors?*", lambda route: route.fulfill(status=503, json={"message": "restoring"}))
        await page.goto(str(service.client.make_url(f"/error-visualization{query}")))
        await expect(page.locator("#verdict")).to_have_text("▲ critical.")
        await expect(page.locator("#verdict")).to_be_visible()
        await expect(page.locator("#loading")).to_be_visible()
        await expect(page.locator("#cards")).to_be_hidden()
