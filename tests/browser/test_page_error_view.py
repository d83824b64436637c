"""The view of an error: the errors before and after it, what happened around it, texts to paste elsewhere, in a real Chromium."""

import datetime as dt
import re
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from chromium import Browser, listed, needs_chromium, open_page
from conftest import InProcess
from playwright.async_api import Page, expect

pytestmark = [pytest.mark.html, needs_chromium]
HOSTILE = "`` <b>&title={url}#% \u202e\nsecond ``` line"


def ago(minutes: float) -> str:
    return (dt.datetime.now(dt.UTC) - dt.timedelta(minutes=minutes)).isoformat()


async def post(service: InProcess, message: str, minutes: float, **more: Any) -> int:
    return int((await service.post({"message": message, "timestamp": ago(minutes)} | more))["id"])


async def texts(page: Page, error: dict[str, Any], template: str = "") -> dict[str, str]:
    found: dict[str, str] = await page.evaluate(
        """async ([error, template]) => {
            const made = await import('/static/error_text.js');
            return { text: made.asText(error, "http://h/?error=1"), markdown: made.asMarkdown(error, "http://h/?error=1"),
                     curl: made.asCurl(7, "http://h", true), issue: made.issueAddress(template, error, "http://h/?error=1") };
        }""",
        [error, template],
    )
    return found


ERROR = {
    "id": 7, "severity": "critical", "type": "E", "worker_id": "w1", "message": HOSTILE, "timestamp": "2026-01-01T00:00:00.000Z",
    "error_category": "C", "reasons": ["one", "two"], "pattern_id": "p", "traceback": "in f\n````", "run": {"id": "r"},
    "test": None, "device_names": ["GPU-1"],
}  # fmt: skip


async def test_newer_and_older_lead_through_the_list(browser: Browser, service: InProcess) -> None:
    for number in range(4):
        await post(service, f"number {number}", 10 - number, worker_id=f"w{number}", type=f"Type{number}")
    await service.post({"severity": "info", "error_category": "TEST_FAILURE", "message": "left out"})
    page, complaints = await open_page(browser, service, "?severity=critical")
    await listed(page, 4)
    dialog = page.locator("#details")
    await page.locator("#errors a.message").first.click()
    await expect(dialog.locator("h2")).to_contain_text("Type3")
    await expect(dialog.get_by_role("button", name="Newer")).to_be_disabled()
    before = await page.evaluate("history.length")
    older = dialog.get_by_role("button", name="Older", exact=False).first
    for number in (2, 1):
        await older.focus()
        await page.keyboard.press("Enter")
        await expect(dialog.locator("h2")).to_contain_text(f"Type{number}")
        await expect(older).to_be_focused()
    await page.keyboard.press("j")
    await expect(dialog.locator("h2")).to_contain_text("Type0")
    await expect(older).to_be_disabled()
    await expect(dialog.get_by_role("button", name="Newer")).to_be_focused()
    await page.keyboard.press("k")
    await expect(dialog.locator("h2")).to_contain_text("Type1")
    assert await page.evaluate("history.length") == before
    await page.keyboard.press("Escape")
    await expect(dialog).to_be_hidden()
    await expect(page).not_to_have_url(re.compile("error="))
    assert complaints == []


async def test_an_error_shows_what_happened_around_it_on_its_worker(browser: Browser, service: InProcess) -> None:
    for message, minutes in (("long before", 20), ("before", 13), ("this", 10), ("after", 6), ("long after", 1)):
        await post(service, message, minutes)
    await post(service, "elsewhere", 10, worker_id="another")
    id_ = next(one["id"] for one in (await service.get("/api/errors/list"))["errors"] if one["message"] == "this")
    page, complaints = await open_page(browser, service, f"?error={id_}")
    rows = page.locator("#neighbours li")
    await expect(rows.locator("a.message")).to_have_text(["after", "this", "before"])
    await expect(page.locator("#neighbours li[aria-current]")).to_contain_text("this")
    await rows.locator("a.message", has_text="before").click()
    await expect(page.locator("#details .message").first).to_have_text("before")
    assert complaints == []


async def test_the_hardware_is_a_table(browser: Browser, service: InProcess) -> None:
    hardware = {"hardware_type": "cuda", "nics": [{"name": "<b>", "up": False}], "lanes": [1, 2], "none": None}
    id_ = await post(service, "x", 1, hardware_context=hardware, error_frequency={"recurring": True})
    page, _ = await open_page(browser, service, f"?error={id_}")
    rows = page.locator("#details table.flat").first.locator("tr")
    await expect(rows).to_have_text(["hardware typecuda", "nics 0 name<b>", "nics 0 upfalse", "lanes1, 2"])


async def test_texts_to_paste_elsewhere(browser: Browser, service: InProcess) -> None:
    page, _ = await open_page(browser, service)
    found = await texts(page, ERROR, "https://tracker/new?t={title}&b={body}&u={url}#x")
    assert found["text"].startswith(f"critical: E on w1\n{HOSTILE}\n\nwhen: 2026-01-01")
    assert "why: one, two\nrun: r\ndevices: GPU-1" in found["text"]
    assert found["curl"] == "curl -H \"Authorization: Bearer $ERROR_VISUALIZATION_TOKEN\" 'http://h/api/errors/7'"
    assert f"\n````\n{HOSTILE}\n````\n" in found["markdown"]  # no backticks of the message end the block
    assert "\n`````\nin f\n````\n`````\n" in found["markdown"]
    parts = urlsplit(found["issue"])
    assert parts.fragment == "x"
    query = parse_qs(parts.query)
    assert query == {
        "t": ["E on w1: `` <b>&title={url}#% \u202e"],
        "b": [found["markdown"]],
        "u": ["http://h/?error=1"],
    }
    long = (await texts(page, ERROR | {"traceback": "\U0001f600é\n" * 9_000}, "https://t/?{body}"))["issue"]
    assert len(long) < 6_100
    assert unquote(long.partition("?")[2]).endswith("```\n…\n\n[All of it](<http://h/?error=1>)")
    odd = await texts(page, ERROR | {"message": "half \ud800 of a pair"}, "https://t/?{title}")
    assert odd["issue"].endswith(unquote("half") + "%20%EF%BF%BD%20of%20a%20pair")


async def test_an_issue_is_filed_where_the_service_has_an_address(browser: Browser, serve: Any) -> None:
    service = await serve(issue_url='https://tracker.example/new?title={title}&x="&body={body}'.replace('"', "%22"))
    id_ = await post(service, "a <b> & c", 1)
    page, complaints = await open_page(browser, service, f"?error={id_}")
    link = page.locator("#details").get_by_role("link", name="File an issue")
    href = await link.get_attribute("href")
    assert href and href.startswith(
        "https://tracker.example/new?title=ResourceError%20on%20worker-1%3A%20a%20%3Cb%3E%20%26%20c&x=%22&body=%23"
    )
    assert await link.get_attribute("rel") == "noopener noreferrer"
    assert complaints == []


async def test_without_an_address_there_is_no_link_to_an_issue(browser: Browser, service: InProcess) -> None:
    id_ = await post(service, "x", 1)
    page, _ = await open_page(browser, service, f"?error={id_}")
    await expect(page.locator("#details").get_by_role("button", name="Copy as Markdown")).to_be_visible()
    await expect(page.get_by_role("link", name="File an issue")).to_have_count(0)
    await page.locator("#details").get_by_role("button", name="Copy as text").click()
    await expect(page.locator("#details .copies").get_by_role("button", name="Cop").first).to_have_text(
        re.compile("Copied|not allowed")
    )
