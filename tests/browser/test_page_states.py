"""States of patterns and drained workers on the page, in a real Chromium: the buttons, the form, and what other readers see."""

import asyncio
import datetime as dt
import json
import re
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import encode_basic_auth
from chromium import Browser, follow, needs_chromium, open_page
from conftest import InProcess
from playwright.async_api import Locator, Page, Route, WebSocketRoute, expect
from test_page_accessibility import AXE, violations
from test_page_login import logged_in
from test_page_views import filled, view

pytestmark = [pytest.mark.html, needs_chromium]
NAMED = "localStorage.setItem('error-visualization.reader', JSON.stringify({ name: 'Ana', user: '' }))"

# Keeps what is announced politely while the dialog is open.
TOLD = """() => {
  window.told = [];
  new MutationObserver(() => window.told.push(document.querySelector("#details > .polite")?.textContent ?? ""))
    .observe(document.getElementById("details"), { subtree: true, childList: true, characterData: true });
}"""


async def engine(service: InProcess) -> str:
    return str((await service.post({"worker_id": "w1", "message": "the engine has stopped"}))["pattern_id"])


def parts(page: Page) -> tuple[Locator, Any, Locator]:
    """The sentence about the state, a function that returns a button by its name, and the form."""
    box = page.locator("#details .statement")
    return (
        box.locator(".said"),
        lambda name: box.locator(".acts").get_by_role("button", name=name, exact=True),
        box.locator("form"),
    )


def refusal(status: int, words: str) -> Callable[[Route], Awaitable[None]]:
    async def refuse(route: Route) -> None:
        await route.fulfill(status=status, json={"status": "error", "message": words, "field": "id"})

    return refuse


async def refused_text(route: Route) -> None:
    await route.fulfill(status=400, json={"status": "error", "message": "text: not this one", "field": "text"})


async def test_a_claim_is_said_in_each_tab_at_once(browser: Browser, service: InProcess) -> None:
    id_ = await engine(service)
    page, complaints = await open_page(browser, service, view("pattern", id_))
    other, others = await open_page(browser, service, view("pattern", id_))
    desk, at_desk = await open_page(browser, service, f"?pattern={id_}")
    paused, while_paused = await open_page(browser, service, view("pattern", id_))
    await paused.locator("#pause").evaluate("box => box.click()")
    for one in (page, other, paused):
        await filled(one)
    said, button, form = parts(page)
    await expect(said).to_have_text("◆ New: first seen within the last 24 hours")
    await expect(desk.locator("#patterns tbody tr")).to_have_count(1)
    await expect(desk.locator("#patterns .said-short")).to_have_count(0)  # a new pattern has no mark
    await button("Claim").click()
    await expect(form.get_by_label("Your name")).to_be_focused()
    await page.keyboard.type("Ana <b>")
    await page.keyboard.press("Enter")
    for one in (page, other, paused):
        await expect(parts(one)[0]).to_have_text(re.compile(r"● Claimed by Ana <b> since \d\d:\d\d$"))
        await expect(one.locator("#details .history li")).to_have_text([re.compile("Claimed by Ana <b>$")])
    await expect(said).to_be_focused()  # the button that was pressed is gone
    await expect(button("Claim")).to_be_hidden()
    await expect(form).to_be_hidden()
    await expect(parts(other)[1]("Claim")).to_be_visible()  # another reader may take over
    for one in (page, other):
        await expect(one.locator("#details > .polite")).to_contain_text("Claimed by Ana")
    assert await paused.locator("#details > .polite").count() == 0  # announces nothing by itself
    await expect(desk.locator("#patterns .said-short")).to_have_text("● claimed")
    await expect(desk.locator("#pattern")).to_contain_text("Claimed by Ana <b> since")
    await button("Resolve").click()  # the name is known
    await expect(parts(other)[0]).to_contain_text("✓ Resolved by Ana <b> at")
    await expect(desk.locator("#patterns .said-short")).to_have_text("✓ resolved")
    await service.post({"worker_id": "w1", "message": "the engine has stopped"})
    await expect(said).to_contain_text("regression of what Ana <b> had resolved")
    newest = page.locator("#details .history li").first
    await expect(newest).to_contain_text("Came back: error 2")
    cause = page.get_by_role("link", name="error 2")
    await cause.focus()
    await service.ask(f"/api/patterns/{id_}/claim", {"by": "Cy"})
    await expect(newest).to_contain_text("Claimed by Cy")
    await expect(cause).to_be_focused()
    await button("change").click()
    await form.get_by_label("Your name").fill("Bo")
    await page.keyboard.press("Enter")
    await expect(button("change")).to_be_focused()
    await button("Claim").click()
    await expect(said).to_contain_text("Claimed by Bo")
    assert complaints == others == at_desk == while_paused == []


async def test_a_note_is_written_by_keyboard_and_read_in_each_tab(browser: Browser, service: InProcess) -> None:
    id_ = await engine(service)
    page, complaints = await open_page(browser, service, view("pattern", id_))
    other, others = await open_page(browser, service, view("pattern", id_))
    for one in (page, other):
        await filled(one)
    _, button, form = parts(page)
    note, notes, problem = form.get_by_label("Note"), page.locator("#details .note"), page.locator("#state-problem")
    await button("Add a note").focus()
    await page.keyboard.press("Enter")
    await expect(form.get_by_label("Your name")).to_be_focused()
    await page.keyboard.type("Ana")
    await page.keyboard.press("Tab")
    await expect(note).to_be_focused()
    await page.keyboard.type("the fan of rack 3 <b>\nis loud")
    await page.keyboard.press("Escape")
    await expect(form).to_be_hidden()
    await page.keyboard.press("Enter")  # what was typed is still there
    await expect(note).to_have_value("the fan of rack 3 <b>\nis loud")
    await form.get_by_label("Your name").fill("Ana")
    await page.route("**/note", refused_text)
    await form.get_by_role("button", name="Add a note").press("Enter")
    await expect(problem).to_have_text("text: not this one")
    await expect(note).to_be_focused()
    await expect(note).to_have_attribute("aria-describedby", "state-problem")
    await page.unroute("**/note")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    for one in (page, other):
        row = one.locator("#details .history li")
        await expect(row).to_have_count(1)
        await expect(row).to_contain_text("Note by Ana")
        await expect(one.locator("#details .note")).to_have_text("the fan of rack 3 <b>\nis loud")
    await expect(other.locator("#details > .polite")).to_have_text("A note was added")
    await expect(page.locator("#details > .polite")).to_have_text("Note added")
    await expect(problem).to_have_text("")
    await expect(button("Add a note")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(note).to_have_value("")
    await expect(form.get_by_label("Your name")).to_be_hidden()  # the name is known
    await service.ask(f"/api/patterns/{id_}/note", {"by": "Bo", "text": "it was replaced"})
    await expect(notes).to_have_text(["it was replaced", "the fan of rack 3 <b>\nis loud"])
    await expect(note).to_be_focused()
    assert [one for one in complaints if "400" not in one] == others == []


async def test_a_blank_note_is_not_sent_and_what_is_typed_meanwhile_stays(browser: Browser, service: InProcess) -> None:
    id_ = await engine(service)
    page, complaints = await open_page(browser, service, view("pattern", id_))
    await filled(page)
    _, button, form = parts(page)
    note, problem, polite = (
        form.get_by_label("Note"),
        page.locator("#state-problem"),
        page.locator("#details > .polite"),
    )
    send, held = form.get_by_role("button", name="Add a note"), asyncio.Event()
    await button("Add a note").click()
    await form.get_by_label("Your name").fill("Ana")
    await note.fill(" \n ")
    await send.click()
    await expect(problem).to_have_text("The note is blank.")
    await expect(note).to_be_focused()
    await expect(note).to_have_attribute("aria-invalid", "true")

    async def late(route: Route) -> None:
        answer = await route.fetch()
        await held.wait()
        await route.fulfill(response=answer)

    await page.route("**/note", late)
    await note.fill("the fan is loud")
    await send.click()
    await expect(problem).to_have_text("")
    await expect(page.locator("#details .note")).to_have_count(1)  # the WebSocket is faster
    await service.ask(f"/api/patterns/{id_}/note", {"by": "Bo", "text": "it was replaced"})
    await expect(page.locator("#details .note")).to_have_count(2)
    await note.press_sequentially(" and hot")
    held.set()
    await expect(polite).to_have_text("Note added, and another one by somebody else")
    await expect(note).to_have_value("the fan is loud and hot")
    await expect(note).to_be_focused()
    assert complaints == []


async def test_a_mute_has_an_end_and_reopening_ends_it(browser: Browser, service: InProcess) -> None:
    id_ = await engine(service)
    page, complaints = await open_page(browser, service, view("pattern", id_))
    await page.evaluate(NAMED)
    await page.evaluate(TOLD)
    await filled(page)
    said, button, form = parts(page)
    await button("Mute").click()
    await expect(form.get_by_label("Your name")).to_be_hidden()
    await expect(form.get_by_label("End")).to_be_focused()
    await form.get_by_label("End").select_option("after a number of errors")
    await form.get_by_label("Errors").fill("40")
    await form.get_by_role("button", name="Mute").click()
    await expect(said).to_have_text("‖ Muted for 40 more errors, by Ana")
    await expect(button("Mute")).to_be_focused()
    await expect(page.locator("#details .statement")).to_contain_text("There is no silence in Alertmanager")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    await page.wait_for_function("() => window.told.some((text) => text.includes('for 40 more errors'))")
    await service.post({"worker_id": "w1", "message": "the engine has stopped"})
    await expect(said).to_have_text("‖ Muted for 39 more errors, by Ana")
    assert not [text for text in await page.evaluate("window.told") if "39 more" in text]  # not with each error
    assert not [url for url in asked if "/api/audit" in url]
    await button("Mute").click()
    await form.get_by_label("End").select_option("for 8 h")
    await form.get_by_role("button", name="Mute").click()
    await expect(said).to_have_text(re.compile(r"‖ Muted until (\d+ \w+, )?\d\d:\d\d, by Ana"))
    until = (await service.get(f"/api/patterns/{id_}/state"))["state"]["until"]
    left = dt.datetime.fromisoformat(until) - dt.datetime.now(dt.UTC)
    assert abs(left - dt.timedelta(hours=8)) < dt.timedelta(minutes=1)
    await button("Reopen").click()
    await expect(said).to_contain_text("○ Reopened by Ana at")
    await expect(said).to_be_focused()
    await expect(page.locator("#details .history li")).to_have_count(3)
    assert complaints == []


async def test_a_refusal_is_shown_beside_the_form_and_the_focus_stays(browser: Browser, serve: Any) -> None:
    service = await serve(users={"ada": "lovelace", "eve": "garden"}, admin_users="ada")
    login = {"headers": {"Authorization": encode_basic_auth("ada", "lovelace")}}
    id_ = str((await service.post({"worker_id": "w1", "message": "the engine has stopped"}, **login))["pattern_id"])
    page = await logged_in(browser, service, "ada", view("pattern", id_))
    await filled(page)
    said, button, form = parts(page)
    problem = page.locator("#state-problem")
    await expect(page.locator("#details .acts")).to_contain_text("as ada")
    await button("Mute").click()  # the name of the login is known
    await form.get_by_label("End").select_option("at another time")
    await form.get_by_label("Until").fill("2020-01-01T10:00")
    await form.get_by_role("button", name="Mute").click()
    await expect(problem).to_have_text("until: expected a time that is ahead")
    await expect(form.get_by_label("Until")).to_be_focused()
    await expect(form.get_by_label("Until")).to_have_attribute("aria-describedby", "state-problem")
    typed = "box => { box.value = '12026-11-27T10:00'; return box.validity.rangeOverflow; }"
    assert await form.get_by_label("Until").evaluate(typed)  # the browser does not send the form
    await page.keyboard.press("Escape")
    await expect(form).to_be_hidden()
    await expect(problem).to_have_text("")
    await expect(button("Mute")).to_be_focused()
    for status, words in (
        (409, "the pattern is open already"),
        (403, "it needs the scope admin"),
        (503, "the disk is full"),
    ):
        await page.route("**/claim", refusal(status, words))
        await button("Claim").click()
        await expect(problem).to_have_text(words)
        await expect(button("Claim")).to_be_focused()
        await page.unroute("**/claim")
    await page.route("**/claim", lambda route: route.abort())
    await button("Claim").click()
    await expect(problem).to_have_text("The service does not answer. Try again.")
    await page.unroute("**/claim")
    await page.keyboard.press("Enter")
    await expect(said).to_contain_text("Claimed by ada")
    await expect(problem).to_have_text("")

    await page.context.clear_cookies()
    reader = await logged_in(browser, service, "eve", view("pattern", id_))
    await expect(parts(reader)[0]).to_contain_text("Claimed by ada")
    await expect(parts(reader)[1]("Resolve")).to_be_hidden()  # may only read


async def test_a_worker_is_drained_and_put_back_by_keyboard_alone(browser: Browser, service: InProcess) -> None:
    await engine(service)
    page, complaints = await open_page(browser, service, view("worker", "w1"))
    desk, _ = await open_page(browser, service)
    await filled(page)
    said, button, form = parts(page)
    await button("Drain").focus()
    await page.keyboard.press("Enter")
    await page.keyboard.type("Ana")
    await page.keyboard.press("Tab")
    await expect(form.get_by_label("End")).to_be_focused()
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(said).to_have_text(re.compile(r"⊘ Drained by Ana until (\d+ \w+, )?\d\d:\d\d"))
    await expect(said).to_be_focused()
    await expect(desk.locator("#workers .said-short")).to_have_text("⊘ drained")
    await page.keyboard.press("Tab")
    await expect(button("Undrain")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(said).to_be_hidden()
    await expect(button("Drain")).to_be_focused()
    await expect(page.locator("#details > .polite")).to_have_text("No longer drained")
    await expect(desk.locator("#workers .said-short")).to_have_count(0)
    await page.keyboard.press("Enter")
    await expect(form.get_by_label("End")).to_be_focused()
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(said).to_have_text(re.compile("⊘ Drained by Ana since .*, without an end"))
    await expect(page.locator("#details .history li")).to_have_count(3)
    await expect(said).to_be_focused()
    await service.ask("/api/workers/w1/undrain", {"by": "Bo"})
    await expect(button("Drain")).to_be_focused()  # the sentence is gone
    assert complaints == []


async def test_a_change_while_a_view_is_fetched_is_shown(browser: Browser, service: InProcess) -> None:
    id_ = await engine(service)
    page, complaints = await open_page(browser, service)
    await expect(page.locator("#connection")).to_have_attribute("data-state", "live")
    await expect(page.locator("#patterns tbody tr")).to_have_count(1)
    resolved = page.locator("#patterns .said-short")

    async def late(route: Route) -> None:
        answer = await route.fetch()
        await service.ask(f"/api/patterns/{id_}/resolve", {"by": "Ana"})
        await expect(resolved).to_have_text("✓ resolved")
        await route.fulfill(response=answer)

    await page.route(re.compile(rf"/api/patterns/{id_}\?"), late)
    await page.locator("#patterns tbody a").first.click()
    await expect(parts(page)[0]).to_contain_text("✓ Resolved by Ana")
    assert complaints == []


async def test_a_form_that_waited_takes_the_focus_only_from_who_is_still_there(
    browser: Browser, service: InProcess
) -> None:
    id_ = await engine(service)
    page, complaints = await open_page(browser, service, view("pattern", id_))
    await page.evaluate(NAMED)
    await filled(page)
    said, button, form = parts(page)
    elsewhere = page.get_by_role("link", name="Filter the page by this pattern")
    goes = {"claim": asyncio.Event(), "reopen": asyncio.Event()}

    async def late(route: Route) -> None:
        await goes[route.request.url.rpartition("/")[2]].wait()
        await route.continue_()

    await page.route(re.compile("/(claim|reopen)$"), late)
    for action, go in goes.items():
        await button(action.title()).click()
        await button("Mute").click()
        await expect(page.locator("#state-problem")).to_have_text("The last change is still being saved.")
        if action == "claim":
            await elsewhere.focus()
        go.set()
        await expect(form).to_be_visible()
        await expect(elsewhere if action == "claim" else form.get_by_label("End")).to_be_focused()
        await expect(said).to_contain_text(action.title())
        await form.get_by_role("button", name="Cancel").click()
    assert complaints == []


async def test_changes_that_were_missed_are_read_again(browser: Browser, service: InProcess) -> None:
    """The messages count the changes but do not have them, as after more than 50."""
    id_ = await engine(service)
    page = await browser.new_page()
    subscribed = asyncio.Event()

    def proxied(socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()

        def forward(message: str | bytes) -> None:
            answer = json.loads(message)
            if answer.get("type") == "states":
                answer["data"]["changes"] = []
                subscribed.set()
            socket.send(json.dumps(answer))

        server.on_message(forward)

    await page.route_web_socket(re.compile("/ws/"), proxied)
    await page.goto(str(service.client.make_url(f"/error-visualization{view('pattern', id_)}")))
    await filled(page)
    await asyncio.wait_for(subscribed.wait(), 30)  # the first message says from which version on changes are counted
    for name, words in (("Bo", "claim"), ("Cy", "resolve")):
        await service.ask(f"/api/patterns/{id_}/{words}", {"by": name})
        await expect(parts(page)[0]).to_contain_text(f"ed by {name}")
    await expect(page.locator("#patterns .said-short")).to_have_text("✓ resolved")


async def test_the_history_is_read_page_by_page(browser: Browser, service: InProcess) -> None:
    id_ = await engine(service)
    for number in range(13):
        await service.ask(f"/api/patterns/{id_}/claim", {"by": f"reader {number}"})
    page, _ = await open_page(browser, service, view("pattern", id_))
    rows = page.locator("#details .history li")
    await expect(rows).to_have_count(10)
    await expect(rows.first).to_contain_text("Claimed by reader 12")
    await page.get_by_role("button", name="Older changes").click()
    await expect(rows).to_have_count(13)
    await expect(page.locator("#details .history")).to_be_focused()  # the button is gone
    await service.ask(f"/api/patterns/{id_}/resolve", {"by": "Ana"})
    await expect(rows.first).to_contain_text("Resolved by Ana")
    await expect(rows).to_have_count(14)  # what was loaded stays


@pytest.mark.skipif(not AXE.exists(), reason="axe-core is not installed (make test installs it)")
@pytest.mark.parametrize(("theme", "width"), [("light", 1280), ("dark", 390)])
async def test_no_violation_with_the_form_open(browser: Browser, service: InProcess, theme: str, width: int) -> None:
    id_ = await engine(service)
    await service.ask(f"/api/patterns/{id_}/mute", {"by": "x" * 100, "errors": 3})
    page, _ = await open_page(
        browser, service, view("pattern", id_), color_scheme=theme, viewport={"width": width, "height": 800}
    )
    for address, name in ((None, "Mute"), (None, "Add a note"), (view("worker", "w1"), "Drain")):
        if address:
            await follow(page, address)
            await expect(page.locator("#details h2")).to_contain_text("Worker")
        await filled(page)
        _, button, form = parts(page)
        await button(name).click()
        if name == "Add a note":
            await service.ask(f"/api/patterns/{id_}/note", {"by": "x" * 100, "text": "x" * 2_000})
            await expect(page.locator("#details .note")).to_be_visible()
        else:
            await form.get_by_label("End").select_option("at another time")
            await expect(form.get_by_label("Until")).to_be_visible()
        assert (name, await violations(page, "'#details'")) == (name, [])
        assert await page.locator("#details").evaluate("d => d.scrollWidth <= d.clientWidth")


async def test_the_head_of_the_patterns_is_a_line_and_no_mark_is_bold(browser: Browser, service: InProcess) -> None:
    id_ = await engine(service)
    await service.ask(f"/api/patterns/{id_}/claim", {"by": "Ana"})
    page, _ = await open_page(browser, service, viewport={"width": 1280, "height": 800})
    assert await page.locator("#patterns thead tr").evaluate("row => row.offsetHeight") < 36
    assert await page.locator("#patterns tbody tr").evaluate("row => row.offsetHeight") < 36
    weights = "all => all.map((one) => getComputedStyle(one).fontWeight)"
    assert set(await page.locator("#patterns :is(th, .said-short)").evaluate_all(weights)) == {"400"}
