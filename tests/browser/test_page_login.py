"""Logging in and out in a real Chromium, and what the page shows to whom."""

import re
from typing import Any

import pytest
from chromium import PATIENCE, needs_chromium, open_page
from conftest import InProcess
from playwright.async_api import Page, expect

from exporter.http import access

pytestmark = [pytest.mark.html, needs_chromium]
USERS = {"ada": "lovelace", "eve": "garden"}


async def at_login(page: Page) -> None:
    await page.wait_for_url(re.compile(r"/login(\?|$)"), timeout=PATIENCE)
    await expect(page.get_by_role("button", name="Log in")).to_be_visible()


async def log_in(page: Page, name: str, password: str) -> None:
    await page.get_by_label("Name").fill(name)
    await page.get_by_label("Password or token").fill(password)
    await page.get_by_role("button", name="Log in").click()


async def live(page: Page) -> None:
    await expect(page.locator("#connection")).to_have_attribute("data-state", "live", timeout=PATIENCE)


async def logged_in(browser: Any, service: InProcess, name: str = "ada", query: str = "") -> Page:
    page: Page = await browser.new_page()
    await page.goto(str(service.client.make_url(f"/error-visualization{query}")))
    await at_login(page)
    await log_in(page, name, USERS[name])
    await live(page)
    return page


async def test_somebody_logs_in_changes_something_and_logs_out(browser: Any, serve: Any) -> None:
    service = await serve(users=USERS)
    page = await browser.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    await page.goto(str(service.client.make_url("/error-visualization?range=1&severity=critical")))
    await at_login(page)
    await log_in(page, "ada", "wrong")
    await expect(page.get_by_role("alert")).to_have_text("Name or password is wrong, or the token may not read.")
    await expect(page.get_by_label("Password or token")).to_have_value("")
    await log_in(page, "ada", "lovelace")
    await live(page)
    assert page.url.endswith("/error-visualization?range=1&severity=critical")
    await page.get_by_text("Settings").click()
    await expect(page.locator("#session")).to_contain_text("Logged in as ada")
    await expect(page.locator("#example")).to_contain_text('Bearer $ERROR_VISUALIZATION_TOKEN" \\\n  -d')
    await page.locator("#reset").click()
    await page.get_by_role("button", name="Reset", exact=True).click()
    await expect(page.locator("#notice")).to_contain_text("Critical errors are counted from now on")
    await page.get_by_role("button", name="Log out").click()
    await at_login(page)
    await page.go_back()
    await at_login(page)
    assert [one for one in complaints if "401" not in one and "Authentication failed" not in one] == []


async def test_a_page_whose_session_ends_leads_to_the_login_and_back(
    browser: Any, serve: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "RECHECK_SECONDS", 0.05)
    service = await serve(users=USERS)
    page = await logged_in(browser, service, query="?range=168")
    other = await page.context.new_page()
    await other.goto(str(service.client.make_url("/error-visualization")))
    await live(other)
    await other.get_by_text("Settings").click()
    await other.get_by_role("button", name="Log out").click()
    await at_login(page)
    await log_in(page, "ada", "lovelace")
    await live(page)
    assert page.url.endswith("/error-visualization?range=168")


async def test_a_change_after_a_new_login_in_another_tab_succeeds(browser: Any, serve: Any) -> None:
    service = await serve(users=USERS)
    page = await logged_in(browser, service)
    await page.evaluate("fetch('/api/errors')")
    await page.locator("summary", has_text="Settings").click()
    for _ in range(2):
        await page.locator("#reset").click()
        await page.get_by_role("button", name="Reset", exact=True).click()
        await expect(page.locator("#notice")).to_contain_text("Critical errors are counted from now on")
        await page.evaluate("document.getElementById('notice').textContent = ''")
        other = await page.context.new_page()
        await other.goto(str(service.client.make_url("/login")))
        await log_in(other, "ada", "lovelace")  # a new session, so another CSRF token
        await live(other)
        await other.close()


async def test_who_may_only_read_is_not_offered_changes(browser: Any, serve: Any) -> None:
    service = await serve(users=USERS, admin_users=("ada",))
    ada = await logged_in(browser, service)
    body = '{"worker_id":"w","type":"E","message":"m"}'
    status = await ada.evaluate(
        """async (body) => {
            const { data } = await (await fetch("/api/session")).json();
            const headers = { "Content-Type": "application/json", "X-CSRF-Token": data.csrf_token };
            return (await fetch("/api/report-error", { method: "POST", headers, body })).status;
        }""",
        body,
    )
    assert status == 200
    eve = await logged_in(browser, service, "eve", "?error=1")
    for page, may in ((ada, True), (eve, False)):
        await page.goto(str(service.client.make_url("/error-visualization?error=1")))
        await live(page)
        keep = page.locator("#details .keep")
        await (expect(keep).to_be_visible() if may else expect(keep).to_have_count(0))
        await expect(page.locator("#details")).to_contain_text("Keep" if may else "not kept")
        await page.keyboard.press("Escape")
        await page.locator("summary", has_text="Settings").click()
        await (expect(page.locator("#reset")).to_be_visible() if may else expect(page.locator("#reset")).to_be_hidden())


async def test_without_access_control_the_page_shows_nobody(browser: Any, service: InProcess) -> None:
    page, complaints = await open_page(browser, service)
    await page.locator("summary", has_text="Settings").click()
    await expect(page.locator("#reset")).to_be_visible()
    await expect(page.locator("#session")).to_be_hidden()
    assert complaints == []
