"""What can be open on the page, and how a test opens it, for checks that step through all of it. Each opener expects the page on
a phone, with nothing over it, and returns the selector of the part to check."""

import re
from collections.abc import Awaitable, Callable
from typing import Any

from chromium import follow
from conftest import InProcess
from playwright.async_api import Page, Route, expect
from stored import DISK, FULL, STORAGE
from verdicts import Verdicts

HOSTILE = "<img src=x onerror=alert(1)> \u202e & \"'" + "w" * 180
BEATS: list[dict[str, Any]] = [
    {"worker_id": HOSTILE[:200], "interval": 15, "problems": [HOSTILE], "system_context": {"metrics": {"cpu": {"percent": 12.4}}},
     "gpus": [{"index": HOSTILE, "name": HOSTILE, "temperature": 84, "power_watts": 1e12, "throttle_reasons": [HOSTILE]}, {"index": 1, "lost": True}]},
    {"worker_id": "__proto__", "stopping": True, "gpus": [None, {"index": {}}]},
]  # fmt: skip
# What is wider than the page or than what scrolls over it, and each text that is cut off: it reaches out of the screen, or out of
# a part that neither scrolls nor says by "…" that there is more. `within` is the selector of the part whose texts are looked at.
CUT = """(within) => {
    const root = document.documentElement, wide = [];
    const name = (one) => `${one.localName}${one.id && `#${one.id}`}${one.className && typeof one.className === "string" ? `.${one.className}` : ""}`;
    const shown = (one) => one.checkVisibility({ visibilityProperty: true, opacityProperty: true });
    for (const one of document.querySelectorAll("html, dialog[open], .sheet, #found"))
        if (shown(one) && one.scrollWidth > one.clientWidth) wide.push(`${name(one)} is ${one.scrollWidth} pixels wide`);
    for (const part of document.querySelectorAll(within)) {
        const texts = document.createTreeWalker(part, NodeFilter.SHOW_TEXT);
        while (texts.nextNode()) {
            const text = texts.currentNode, range = document.createRange();
            if (!text.data.trim() || !shown(text.parentElement)) continue;
            range.selectNodeContents(text);
            let { left, right } = range.getBoundingClientRect(), cut = "";
            if (left === right) continue;
            for (let one = text.parentElement; one !== root && !cut; one = one.parentElement) {
                const style = getComputedStyle(one), box = one.getBoundingClientRect();
                if (style.clipPath !== "none") { left = right = 0; break; }
                if (style.overflowX === "visible" || one === document.body) continue;
                if (style.flexFlow === "column wrap" && left >= box.right - 1) { left = right = 0; break; } // a row of the wall that has no room
                const ends = style.textOverflow === "ellipsis" || style.webkitLineClamp !== "none" || style.overflowX === "auto" || one.localName === "svg";
                if (!ends && (left < box.left - 1 || right > box.right + 1)) cut = name(one);
                [left, right] = [Math.max(left, box.left), Math.min(right, box.right)];
            }
            if (!cut && (left < -1 || right > root.clientWidth + 1)) cut = "the screen";
            if (cut) wide.push(`"${text.data.trim().slice(0, 40)}" in ${name(text.parentElement)} is cut off by ${cut}`);
        }
    }
    return [...new Set(wide)];
}"""


def refuse(status: int, field: str) -> Callable[[Route], Awaitable[None]]:
    async def answer(route: Route) -> None:
        await route.fulfill(status=status, json={"status": "error", "message": HOSTILE, "field": field})

    return answer


def says(data: Any) -> Callable[[Route], Awaitable[None]]:
    async def answer(route: Route) -> None:
        await route.fulfill(json={"status": "success", "data": data})

    return answer


async def prepare(page: Page) -> None:
    """Answers for what would take long to make. Called before the page is loaded."""
    await page.route(
        "**/api/session",
        says({"user": HOSTILE, "method": "session", "scopes": ["admin", "read", "write"], "csrf_token": "t"}),
    )
    await page.route("**/api/storage", says(STORAGE | FULL | DISK))
    await page.route("**/sounds/*.mp3", lambda route: route.fulfill(body="no sound"))
    await page.route(re.compile("/api/patterns/[^/]+/claim$"), refuse(400, "by"))


class Openers:
    """Opens one thing after another on a page of `service`. `addresses` are those of views."""

    def __init__(self, page: Page, service: InProcess, addresses: dict[str, str]) -> None:
        self.page, self.service, self.addresses = page, service, addresses

    async def closed(self) -> None:
        """Back to the page without anything over it."""
        await self.page.unroute("**/api/errors/*")
        await follow(self.page, "?")
        for place in ("#details", "#help-dialog", "#reset-dialog"):
            if await self.page.locator(place).is_visible():
                await self.page.keyboard.press("Escape")
            await expect(self.page.locator(place)).to_be_hidden()
        await self.page.locator(".menu").evaluate("menu => { menu.open = false; }")

    async def view(self, name: str) -> None:
        await follow(self.page, self.addresses.get(name, name))
        await expect(self.page.locator("#details .body:not([aria-busy])")).to_be_visible()

    async def settings(self) -> None:
        await self.page.locator(".menu").evaluate("menu => { menu.open = true; }")

    # Over the page

    async def filters(self) -> str:
        await self.page.locator("#filters-toggle").click()
        await expect(self.page.locator("#filters")).to_be_visible()
        return "#search"

    async def session_and_broken_sounds(self) -> str:
        await self.settings()
        await self.page.locator("#test-critical").click()
        await expect(self.page.locator("#sound-problems li").first).to_be_visible()
        await expect(self.page.locator("#session")).to_contain_text("Logged in as")
        return ".menu .sheet"

    async def help(self) -> str:
        await self.settings()
        await self.page.locator("#help").click()
        await expect(self.page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
        return "#help-dialog"

    async def reset(self) -> str:
        await self.settings()
        await self.page.locator("#reset").click()
        await expect(self.page.get_by_role("dialog", name="Reset the counts for everybody?")).to_be_visible()
        return "#reset-dialog"

    async def a_new_version(self) -> str:
        await self.page.evaluate("import('/static/version.js').then(({ offer }) => offer('2'))")
        await expect(self.page.locator("#new-version")).to_be_visible()
        return "#new-version"

    async def a_notice(self) -> str:
        await follow(self.page, "?severity=" + "x" * 150)
        await expect(self.page.locator("#notice")).to_contain_text("severity")
        return "#notice"

    # In the page

    async def warnings(self) -> str:
        await expect(self.page.locator("#clocks li").first).to_be_visible()
        await expect(self.page.locator("#full li")).to_have_count(2)
        return "#clocks, #full, #storage"

    async def all_of_the_verdict(self) -> str:
        verdicts = await Verdicts.of(self.service)
        time = {"text": "02:14 UTC", "time": "2026-11-26T02:14:03.120Z"}
        verdicts.say(
            "calm",
            "unknown",
            "calm",
            [{"text": "Reports are refused since "}, time, {"text": f" ({HOSTILE * 2}); before that, calm."}],
        )
        await self.page.locator("#whole").click()
        await expect(self.page.locator("#whole")).to_have_text("less")
        return "#headline"

    async def machines(self) -> str:
        for beat in BEATS:
            await self.service.ask("/api/heartbeat", beat)
        await self.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        await expect(self.page.locator("#machines > li")).to_have_count(len(BEATS))
        return "#machines-panel"

    async def new_patterns_and_all_workers(self) -> str:
        await self.page.locator("#new-only").click()
        await expect(self.page.locator("#new-only")).to_have_attribute("aria-pressed", "true")
        await self.page.locator("#all-workers").click()
        await expect(self.page.locator("#all-workers")).to_contain_text("the first")
        return "#desk"

    async def a_selection_on_the_chart_and_a_tooltip(self) -> str:
        keys, plot = self.page.locator(".chart-keys"), self.page.locator("#over-time .plot")
        await keys.focus()
        for key in ("Escape", "End", "Shift+ArrowLeft", "Shift+ArrowLeft"):
            await self.page.keyboard.press(key)
        await expect(self.page.locator(".selection")).to_be_visible()
        await plot.scroll_into_view_if_needed()
        box = await plot.bounding_box()
        assert box
        await self.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, steps=2)
        return "#time-panel"

    async def the_tables_of_a_comparison(self) -> str:
        await follow(self.page, "?compare=before")
        await expect(self.page.locator(".card .change").first).to_be_visible()
        for button in await self.page.locator(".swap").all():
            await button.click()
        await expect(self.page.locator("#over-time table")).to_be_visible()
        await expect(self.page.locator("#by-hardware table")).to_be_visible()
        return "#cards, #time-panel, .trio, #hardware-panel"

    async def own_counts_after_a_reset(self) -> str:
        await self.reset()
        await self.page.get_by_role("button", name="Reset", exact=True).click()
        await expect(self.page.locator("#since")).to_contain_text("since the counts were reset")
        await self.settings()
        await self.page.locator("#count-anew").click()
        await expect(self.page.locator("#counted")).to_contain_text("Counts since")
        return "#headline, #counted"

    # Views

    async def acts(self, name: str) -> None:
        await self.page.locator("#details .acts").get_by_role("button", name=name, exact=True).click()
        await expect(self.page.locator("#details .state-form")).to_be_visible()

    async def a_refused_form(self) -> str:
        await self.view("pattern")
        await self.acts("Claim")  # as who is logged in, which is refused, so that the form asks for a name
        await expect(self.page.locator("#state-by")).to_have_attribute("aria-invalid", "true")
        await expect(self.page.locator("#state-problem")).to_contain_text("onerror")
        return "#details"

    async def a_drain_until(self) -> str:
        await self.view("worker")
        await self.acts("Drain")
        await self.page.locator("#state-end").select_option("until")
        await expect(self.page.locator("#state-until")).to_be_visible()
        return "#details"

    async def an_error_with_an_issue(self) -> str:
        await self.view("error")
        await expect(self.page.get_by_role("link", name="File an issue")).to_be_visible()
        return "#details"

    async def a_view_without_an_answer(self) -> str:
        await self.page.route("**/api/errors/*", refuse(503, ""))
        await self.view(self.addresses["error"])
        await expect(self.page.locator("#details .body")).to_contain_text("does not answer")
        return "#details"

    async def a_view_of_nothing(self) -> str:
        await self.view("?view=" + "x" * 200)
        await expect(self.page.locator("#details .body")).to_contain_text("names nothing")
        return "#details"
