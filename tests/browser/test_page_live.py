"""The page stays correct: by the service's clock, over lost connections, failing requests and races."""

import asyncio
import datetime as dt
import json
import re
import signal
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from chromium import LONGEST, Browser, all_listed, leave_details, listed, needs_chromium, open_page
from conftest import REPORT, InProcess, Served, free_port
from hearing import listen
from playwright.async_api import Page, Route, expect
from running import RunningServer

from exporter.app import make_app
from exporter.http import reads as reading
from exporter.live import hub
from exporter.log.files import log_path
from exporter.service import Service

pytestmark = [pytest.mark.html, needs_chromium]
INFO = {"error_category": "TEST_FAILURE", "message": "1 != 2", "worker_id": "w3", "type": "AssertionError"}
WARNING = {"error_category": "NETWORK_TIMEOUT", "message": "no answer", "worker_id": "w2", "type": "Timeout"}
SKEWED = """
const Real = Date, skew = 2 * 3600 * 1000;
window.Date = class extends Real {
  constructor(...given) { if (given.length) super(...given); else super(Real.now() + skew); }
  static now() { return Real.now() + skew; }
};
"""


async def post_all(service: InProcess, reports: list[dict[str, Any]]) -> None:
    async with service.client.post("/api/report-errors", json=[REPORT | report for report in reports]) as response:
        assert response.status == 200, await response.text()


async def state(page: Page, word: str) -> None:
    await expect(page.locator("#connection")).to_have_attribute("data-state", word, timeout=LONGEST)


async def open_url(browser: Browser, url: str, **more: Any) -> tuple[Page, list[str]]:
    """The page of a service in its own process, and a list of uncaught exceptions."""
    page = await browser.new_page(**more)
    uncaught: list[str] = []
    page.on("pageerror", lambda error: uncaught.append(str(error)))
    await page.goto(f"{url}/error-visualization")
    await state(page, "live")
    return page, uncaught


def away(first: Served, served: Any, reports: list[dict[str, Any]]) -> Served:
    """Sends `reports` to a service that the page does not reach, then returns a new service on the same data, at the port of
    `first`. The new service has the reports only in its store."""
    other = served()
    body = json.dumps([REPORT | report for report in reports]).encode()
    request = urllib.request.Request(f"{other.url}/api/report-errors", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as response:
        assert response.status == 200
    other.stop()
    return served(port=int(first.url.rpartition(":")[2]))


async def back_with(page: Page, serve: Any, service: InProcess, reports: list[dict[str, Any]]) -> RunningServer:
    """The same with a service in this process."""
    port = service.client.port
    await service.client.close()
    await state(page, "lost")
    other = await serve()
    await post_all(other, reports)
    await other.client.close()
    again = RunningServer(make_app(Service(service.service.settings, process=False)), port=port)
    await again.start_server()
    await state(page, "live")
    return again


async def test_the_headline_counts_all_by_the_clock_of_the_service(browser: Browser, service: InProcess) -> None:
    await post_all(service, [{"worker_id": f"w{n % 4}"} for n in range(5)])
    await post_all(service, [WARNING | {"message": f"no answer for {n} s"} for n in range(150)])
    context = await browser.new_context()
    await context.add_init_script(SKEWED)  # the reader's clock is two hours ahead
    page = await context.new_page()
    await page.goto(str(service.client.make_url("/error-visualization?range=1")))
    await state(page, "live")
    await expect(page.locator("#verdict")).to_contain_text(": 5 critical errors on 4 workers")
    await post_all(service, [{"worker_id": "w1", "message": f"again {n}"} for n in range(5)])
    await expect(page.locator("#verdict")).to_contain_text(": 10 critical errors on 4 workers (6 on w1)")
    await expect(page.locator("#errors .worker").first).to_have_text("w1")
    await expect(page.locator("#assertive")).to_contain_text("Critical error on w1")
    assert re.fullmatch(r"\d+s ago", await page.locator("#workers time").first.text_content() or "")
    await page.get_by_role("link", name="w1, which has most of them").click()
    await page.wait_for_url("**?range=1&worker=w1")  # in the span that the page shows
    await expect(page.locator("#chips")).to_contain_text("worker is w1")
    await listed(page, 6)
    await context.close()


async def test_numbers_and_list_age_though_nothing_comes(
    browser: Browser, service: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("exporter.store.answers.MAX_AGE_SECONDS", -1.0)  # the test moves the clock by more than that
    monkeypatch.setattr(reading, "max_age", lambda _: 0.0)
    now = dt.datetime.now(dt.UTC)
    await service.post({"timestamp": (now - dt.timedelta(minutes=4)).isoformat()})
    await service.post(INFO | {"timestamp": (now - dt.timedelta(minutes=59)).isoformat()})
    page = await (await browser.new_context()).new_page()
    await page.clock.install()
    await page.goto(str(service.client.make_url("/error-visualization?range=1")))
    await expect(page.locator("#verdict")).to_contain_text(": 1 critical error on worker-1")
    await listed(page, 2)
    monkeypatch.setattr(reading, "now", lambda: dt.datetime.now(dt.UTC) + dt.timedelta(seconds=61))
    await page.clock.run_for(21_000)
    await expect(page.locator("[data-card=total_errors] .count")).to_have_text("1", timeout=9_000)
    await listed(page, 1)


async def test_an_error_that_comes_during_a_request_is_listed(browser: Browser, service: InProcess) -> None:
    await service.post()
    page, _ = await open_page(browser, service)
    known, answered = asyncio.Event(), asyncio.Event()

    async def slow(route: Route) -> None:
        answer = await route.fetch()  # the answer from before the error came
        known.set()
        await answered.wait()
        await route.fulfill(response=answer)

    await page.route("**/api/errors/list?*", slow)
    await page.get_by_role("link", name="7 d").click()
    await known.wait()
    await service.post({"worker_id": "meanwhile"})
    await expect(page.locator("#assertive")).to_contain_text("Critical error on meanwhile")  # the page has received it
    answered.set()
    await listed(page, 2, rows=2)
    await service.post({"worker_id": "later"})
    await listed(page, 3, rows=3)


async def test_one_failing_request_does_not_stick(browser: Browser, service: InProcess) -> None:
    page, _ = await open_page(browser, service)
    failing = '{"status": "error", "message": "busy", "field": ""}'
    await page.route("**/api/errors?*", lambda route: route.fulfill(status=503, body=failing))
    await service.post()
    await state(page, "lost")
    await page.unroute("**/api/errors?*")
    await state(page, "live")  # although no further error came
    await expect(page.locator("[data-card=total_errors] .count")).to_have_text("1")
    await expect(page.locator("#polite")).to_contain_text("The connection is back")


@pytest.mark.parametrize(
    ("query", "said", "kept"),
    [("severity=bogus&worker=worker-1", "severity: expected critical, warning, info", "worker=worker-1"),
     ("group=x", "group: expected resource", ""), ("q=" + "x" * 501, "q: expected at most 500 characters", "")],
)  # fmt: skip
async def test_a_filter_that_the_service_refuses_is_dropped_and_said(
    browser: Browser, service: InProcess, query: str, said: str, kept: str
) -> None:
    await service.post()
    page, _ = await open_page(browser, service, f"?{query}")
    await expect(page.locator("#notice")).to_contain_text(said)
    await listed(page, 1)
    await page.wait_for_url(f"**?range=24&{kept}" if kept else "**?range=24")
    await expect(page.locator("#chips")).to_have_text(kept.replace("=", " is ") + (" ×" if kept else ""))


async def test_a_service_that_is_silent_is_lost_and_found(browser: Browser, served: Any) -> None:
    service = served()
    page = await (await browser.new_context()).new_page()
    await page.clock.install()
    await page.goto(f"{service.url}/error-visualization")
    await state(page, "live")
    service.process.send_signal(signal.SIGSTOP)
    try:
        await page.clock.run_for(22_000)
        await expect(page.locator("#connection")).to_have_attribute("data-state", "lost", timeout=5_000)
    finally:
        service.process.send_signal(signal.SIGCONT)
    await page.evaluate("dispatchEvent(new Event('online'))")
    await page.clock.run_for(3_000)
    await state(page, "live")


async def test_who_comes_back_sees_all_anew(browser: Browser, service: InProcess) -> None:
    page, _ = await open_page(browser, service)
    for event in ("window.dispatchEvent(new Event('online'))", "document.dispatchEvent(new Event('visibilitychange'))"):
        async with page.expect_response("**/api/errors?*"), page.expect_response("**/api/errors/list?*"):
            await page.evaluate(event)


async def test_what_was_missed_is_heard_and_told_and_the_next_too(browser: Browser, served: Any) -> None:
    first = served(port=free_port())
    page, uncaught = await open_url(browser, first.url)
    await listen(page)
    await page.locator("#sound-on").click()
    await expect(page.locator("#sound-on")).to_be_hidden()  # until then sound is blocked
    first.post(INFO | {"worker_id": "before"})
    await expect(page.locator("#errors .worker")).to_have_text("before")
    first.kill()
    await state(page, "lost")
    missed = [INFO | {"worker_id": f"missed-{number}"} for number in range(14)]
    # The list is fetched after the reconnect, a second later if a refresh is under way: no sooner may none be expected.
    async with page.expect_response(lambda answer: "/api/errors/list" in answer.url and answer.ok, timeout=LONGEST):
        second = away(first, served, [*missed, {"worker_id": "missed-critical"}])
        await state(page, "live")
    await listed(page, 16, rows=16)
    await expect(page.locator("#assertive")).to_contain_text("Critical error on missed-critical")
    await page.wait_for_function("() => window.heard.at(-1) === 'critical'")
    lists: list[str] = []
    page.on("request", lambda r: lists.append(r.url) if "/api/errors/list" in r.url else None)
    second.post({"worker_id": "next", "is_system_critical": True})
    await page.wait_for_function("() => window.heard.at(-1) === 'system-critical'")
    await listed(page, 17, rows=17)
    assert lists == []  # there was no gap, so the list was not fetched
    assert uncaught == []


@pytest.mark.parametrize("more", [0, 5])  # the other log counts less far than the page knows, or further
async def test_nothing_of_a_replaced_database_stays(browser: Browser, served: Any, tmp_path: Path, more: int) -> None:
    first = served(port=free_port())
    for number in range(3):
        first.post(INFO | {"worker_id": f"gone-{number}"})
    page, uncaught = await open_url(browser, first.url)
    await listed(page, 3, rows=3)
    await page.locator("#errors a.message").last.click()
    await expect(page.locator("#details")).to_contain_text("gone-0")
    first.stop()
    await state(page, "lost")
    (tmp_path / "errors.duckdb").rename(tmp_path / "gone.duckdb")
    log_path(tmp_path / "errors.duckdb").rename(tmp_path / "gone.log")
    now = [f"now-{number}" for number in range(1 + more)]
    second = away(first, served, [INFO | {"worker_id": worker} for worker in now])
    await state(page, "live")
    await listed(page, len(now), rows=len(now))
    await expect(page.locator("#errors .worker")).to_have_text(now[::-1])
    await expect(page.locator("#details")).to_contain_text("now-0")
    await leave_details(page)
    second.post(INFO | {"worker_id": "next"})
    await page.locator("#news").click()  # it waits: the focus is on a row
    await listed(page, len(now) + 1, rows=len(now) + 1)
    assert uncaught == []


async def test_who_paused_or_scrolled_is_left_alone_by_a_reconnect(browser: Browser, serve: Any) -> None:
    service = await serve()
    await post_all(service, [INFO | {"worker_id": f"w{number}"} for number in range(60)])
    page, complaints = await open_page(browser, service)
    await page.locator("#older").click()
    await listed(page, 50, rows=50)
    await page.locator("#pause").check()
    await page.evaluate("document.querySelectorAll('#errors li')[40].scrollIntoView()")
    look = "[scrollY, ...[...document.querySelectorAll('#errors li')].map(row => row.dataset.id)]"
    before = await page.evaluate(look)
    numbers = await page.locator("#cards").text_content()
    again = await back_with(page, serve, service, [INFO | {"worker_id": f"missed-{number}"} for number in range(12)])
    try:
        await expect(page.locator("#news")).to_have_text("12 new errors")
        assert await page.evaluate(look) == before
        assert await page.locator("#cards").text_content() == numbers
        await page.locator("#news").click()
        await listed(page, 50, rows=50)
        await expect(page.locator("#errors .worker").first).to_have_text("missed-11")
        await page.locator("#pause").uncheck()
        await expect(page.locator("[data-card=total_errors] .count")).to_have_text("72")
        assert not [text for text in complaints if "ERR_CONNECTION" not in text]
    finally:
        await again.close()


async def test_what_is_chosen_while_the_service_is_down_comes_with_it(browser: Browser, served: Any) -> None:
    first = served(port=free_port())
    id_ = first.post({"worker_id": "bad"})["id"]
    first.post(INFO)
    page, uncaught = await open_url(browser, first.url)
    await listed(page, 2)
    first.kill()
    await state(page, "lost")
    await page.locator("[data-card=critical_errors]").click()
    await expect(page.locator("#stale")).to_contain_text("the service does not answer")
    await page.locator(f"[data-id='{id_}'] a.message").click()
    await expect(page.locator("#details")).to_contain_text("The service does not answer")
    await page.wait_for_url(f"**&error={id_}")
    served(port=int(first.url.rpartition(":")[2]))
    await state(page, "live")
    await expect(page.locator("#details")).to_contain_text("category RESOURCE_EXHAUSTED")
    await listed(page, 1)
    await expect(page.locator("#stale")).to_be_hidden()
    await leave_details(page)
    await page.go_back()
    await listed(page, 2)
    assert uncaught == []


@pytest.mark.parametrize("is_paused", [False, True])
async def test_a_flood_leaves_no_gap_in_the_list(browser: Browser, service: InProcess, is_paused: bool) -> None:
    """The live updates leave most of its errors out; the page fetches these."""
    await post_all(service, [INFO | {"worker_id": f"before-{number}"} for number in range(5)])
    page, uncaught = await open_page(browser, service)
    await listed(page, 5)
    await page.locator("#pause").set_checked(is_paused)
    # As another page asks. For a second the answer may be given again, and it lacks the flood.
    await service.get("/api/errors/list?time_range=24&limit=200")
    await post_all(service, [INFO | {"worker_id": f"flood-{number}"} for number in range(630)])
    if is_paused:
        await expect(page.locator("#news")).to_be_visible()
        await page.locator("#pause").set_checked(False)
    await expect(page.locator("#errors .worker").first).to_have_text("flood-629")
    await expect(page.locator("[data-card=total_errors] .count")).to_have_text("635")
    await expect(page.locator("#errors")).not_to_have_attribute("data-incomplete", "")  # it is drawn again until then
    await all_listed(page, 635)
    shown = await page.locator("#errors .worker").all_text_contents()
    assert shown == [f"flood-{n}" for n in range(629, -1, -1)] + [f"before-{n}" for n in range(4, -1, -1)]
    assert uncaught == []


async def test_only_the_newest_of_a_flood_that_was_missed(
    browser: Browser, serve: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More updates were missed than a client may resume: the page shows the newest errors, and older ones without a gap."""
    monkeypatch.setattr(hub, "MAX_QUEUE", 200)
    service = await serve()
    await post_all(service, [INFO | {"worker_id": f"before-{number}"} for number in range(5)])
    page, _ = await open_page(browser, service)
    await page.locator("#pause").check()
    again = await back_with(page, serve, service, [INFO | {"worker_id": f"missed-{number}"} for number in range(230)])
    try:
        await expect(page.locator("#news")).to_have_text("200 or more new errors")
        await page.locator("#news").click()
        await all_listed(page, 235)
        shown = await page.locator("#errors .worker").all_text_contents()
        assert shown == [f"missed-{n}" for n in range(229, -1, -1)] + [f"before-{n}" for n in range(4, -1, -1)]
    finally:
        await again.close()
