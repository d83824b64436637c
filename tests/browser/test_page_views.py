"""The views of a pattern, worker, run and test over the page, in a real Chromium."""

import datetime as dt
import re
from typing import Any
from urllib.parse import quote

import pytest
from chromium import Browser, follow, listed, needs_chromium, open_page
from conftest import InProcess
from playwright.async_api import Locator, Page, Route, expect

pytestmark = [pytest.mark.html, needs_chromium]
HOSTILE = "<img src=x onerror=alert(1)> \u202e & \"'"
RUN = {"id": "nightly/7", "job": "nightly"}
PHONE = {"width": 390, "height": 700}


def view(kind: str, id_: str) -> str:
    return f"?view={quote(f'{kind}:{id_}', safe='')}"


def ago(minutes: float) -> str:
    return (dt.datetime.now(dt.UTC) - dt.timedelta(minutes=minutes)).isoformat()


def rank(number: int, **more: Any) -> dict[str, Any]:
    message = f"no answer of rank {number % 3} within 30 s"
    return {
        "worker_id": f"w{number}",
        "type": "RankError",
        "message": message,
        "error_category": "NETWORK_ERROR",
    } | more


async def ranks(service: InProcess, count: int, **more: Any) -> str:
    """Reports errors of one pattern, one a minute, and returns its id."""
    reports = [rank(number, timestamp=ago(count - number)) | more for number in range(count)]
    await service.ask("/api/report-errors", reports)
    listed_ = await service.get("/api/patterns", time_range="168")
    return str(next(one["pattern_id"] for one in listed_["patterns"] if "rank" in one["pattern"]))


async def filled(page: Page) -> None:
    await expect(page.locator("#details .body:not([aria-busy])")).to_be_visible()


def worker(**more: Any) -> dict[str, Any]:
    """A worker as `GET /api/workers/{id}` describes it."""
    at = ago(3)
    return {
        "worker_id": "w1", "now": "silent", "reason": "nothing since a critical error", "errors": 5, "critical": 2, "warning": 1,
        "last_error_at": at, "last_critical_at": at, "silent_since": at, "first_seen": ago(900),
        "drained": {"by": HOSTILE, "at": at, "until": None},
        "patterns": [{"pattern_id": "p1", "text": HOSTILE, "errors": 5, "critical": 2, "first": at, "last": at}],
        "devices": [{"value": "GPU-1", "errors": 3, "last": at}], "tests": [{"value": "t::a", "errors": 2, "last": at}],
        "runs": [{"value": HOSTILE, "errors": 2, "last": at}],
        "measurements": [{"at": ago(9 - n), "cpu": 10 * n, "memory": None, "disk": None, "gpu_memory": None, "gpu_temperature": 60 + n}
                         for n in range(9)],
        "heartbeat": {"worker_id": "w1", "status": "silent", "last_seen": at, "heartbeat": {"gpus": [{"index": 0, "temperature": 71}]}},
    } | more  # fmt: skip


async def answer_workers(page: Page, answer: Any) -> None:
    """Answers for `/api/workers/…`, with measurements and heartbeats that would take long to make."""

    async def fulfil(route: Route) -> None:
        await route.fulfill(json={"status": "success", "data": answer})

    await page.route(re.compile("/api/workers/"), fulfil)


async def test_a_pattern_says_since_when_what_varies_what_it_touches_and_each_error(
    browser: Browser, service: InProcess
) -> None:
    more = {"run": RUN, "test": {"id": "t::slow", "outcome": "failed"}, "devices": ["GPU-1"]}
    id_ = await ranks(service, 25, **more)
    await service.post({"worker_id": "other", "message": "the switch restarted", "timestamp": ago(23)})
    await service.post({"worker_id": "other", "message": "much later", "timestamp": ago(1)})
    page, complaints = await open_page(browser, service)
    await page.locator("#patterns a").filter(has_text="no answer of rank").click()
    await page.wait_for_url(f"**&view=pattern%3A{id_}")
    dialog = page.locator("#details")
    await expect(dialog.locator("h2")).to_have_text("Pattern no answer of rank <*> within <*>")
    await expect(dialog.locator(".places dd").first).to_contain_text("0 ×9 · 1 ×8 · 2 ×8")
    for table, name in (("worker", "w0"), ("device", "GPU-1"), ("test", "t::slow"), ("run", "nightly/7")):
        await expect(
            dialog.get_by_role("region", name=f"Table of {table}s").get_by_role("link", name=name)
        ).to_be_visible()
    await dialog.get_by_role("button", name="Show all 25").click()
    await expect(dialog.get_by_role("region", name="Table of workers").locator("tbody tr")).to_have_count(25)
    around = dialog.locator("section", has_text="within five minutes of its beginning")
    await expect(around.locator("tbody tr")).to_have_text([re.compile("the switch restarted.*2 min")])
    await expect(dialog.locator(".rows li")).to_have_count(20)
    await dialog.get_by_role("button", name="Older errors").click()
    await expect(dialog.locator(".rows li")).to_have_count(25)
    await expect(dialog.locator(".rows a.message").nth(20)).to_be_focused()
    await dialog.get_by_text("Why is this one pattern?").click()
    await expect(dialog.get_by_text("RankError").last).to_be_visible()
    await dialog.get_by_role("link", name="Filter the page by this pattern").click()
    await expect(dialog).to_be_hidden()
    await listed(page, 25)
    assert complaints == []


def fact(page: Page, name: str) -> Locator:
    """The times of one of the facts of a view."""
    return page.locator(f"#details .facts dt:text-is('{name}') + dd").locator("time")


async def test_the_trend_of_a_pattern_is_of_the_span_and_its_first_error_of_all_time(
    browser: Browser, service: InProcess
) -> None:
    ages = [30 * 60, 5 * 60, *[60] * 4]
    await service.ask("/api/report-errors", [rank(0, timestamp=ago(minutes)) for minutes in ages])
    (found,) = (await service.get("/api/patterns"))["patterns"]
    details = await service.get(f"/api/patterns/{found['pattern_id']}")
    page, complaints = await open_page(browser, service, view("pattern", found["pattern_id"]))
    await filled(page)
    picture = page.get_by_role("img", name="5 errors over the span of time, 4 in the highest bar")
    bars = await picture.locator("rect").evaluate_all(
        "all => all.map((bar) => ['x', 'height'].map((name) => Number(bar.getAttribute(name))))"
    )
    (early, low), (late, high) = bars
    assert (low, high) == (12, 48), "one error and four of them"
    assert 600 * 4 / 24 - 600 / len(details["trend"]) <= late - early <= 600 * 4 / 24 + 600 / len(details["trend"])
    await expect(page.locator("#details .ends")).to_have_text(
        re.compile("first in this span 5h ago.*4 errors.*last 1h ago")
    )
    assert dt.datetime.fromisoformat(details["ever_first_seen"]) < dt.datetime.fromisoformat(ago(29 * 60))
    await expect(fact(page, "first seen")).to_have_attribute("datetime", details["ever_first_seen"])
    await expect(fact(page, "first seen")).to_have_text("1d ago")
    await expect(fact(page, "last seen")).to_have_attribute("datetime", details["last_seen"])
    assert complaints == []


async def test_a_worker_says_when_it_was_critical_last_and_since_when_it_is_silent(
    browser: Browser, service: InProcess
) -> None:
    times = {"last_error_at": ago(3), "last_critical_at": ago(7), "silent_since": ago(5), "first_seen": ago(900)}
    page, _ = await open_page(browser, service)
    await answer_workers(page, worker(**times))
    await follow(page, view("worker", "w1"))
    await filled(page)
    for name, key in (("last error", "last_error_at"), ("last critical", "last_critical_at"),
                      ("silent since", "silent_since"), ("first seen", "first_seen")):  # fmt: skip
        await expect(fact(page, name).first).to_have_attribute("datetime", times[key])
    await page.unroute(re.compile("/api/workers/"))
    await answer_workers(page, worker(now="stable", reason="", last_critical_at=None, silent_since=None))
    await page.reload()
    await filled(page)
    await expect(fact(page, "last error")).not_to_have_count(0)
    for name in ("last critical", "silent since"):
        await expect(page.locator(f"#details .facts dt:text-is('{name}')")).to_have_count(0)  # it never was, or is not


async def test_views_lead_to_each_other_and_back_to_where_the_reader_was(browser: Browser, service: InProcess) -> None:
    id_ = await ranks(service, 25)
    page, complaints = await open_page(browser, service)
    await answer_workers(page, worker(patterns=[]))
    start = page.locator("#patterns a").filter(has_text="no answer of rank")
    await start.click()
    await filled(page)
    dialog, back = page.locator("#details"), page.locator("#details .back")
    await expect(back).to_be_hidden()  # there is nothing to go back to but the page
    link = dialog.locator(".rows a.worker").nth(15)
    await link.focus()
    await page.keyboard.press("Enter")
    await expect(dialog.locator("h2")).to_have_text("Worker w1")
    await expect(page.locator("#details .body")).to_be_focused()
    await dialog.locator(".rows a.message").first.click()
    await expect(dialog.locator("h2")).to_contain_text("RankError")
    await back.click()
    await expect(dialog.locator("h2")).to_have_text("Worker w1")
    await back.click()
    await expect(dialog.locator("h2")).to_contain_text("Pattern")
    await expect(dialog.locator(".rows a.worker").nth(15)).to_be_focused()
    await expect(back).to_be_hidden()
    await page.keyboard.press("Escape")
    await expect(dialog).to_be_hidden()
    await expect(start).to_be_focused()
    await expect(page).not_to_have_url(re.compile("view="))
    await page.go_forward()
    await page.wait_for_url(f"**view=pattern%3A{id_}")
    await expect(dialog.locator("h2")).to_contain_text("Pattern")
    await page.reload()
    await expect(dialog.locator("h2")).to_contain_text("Pattern")
    await page.go_back()
    await expect(dialog).to_be_hidden()
    assert complaints == []


async def test_escape_leaves_all_views_in_one_step(browser: Browser, service: InProcess) -> None:
    await ranks(service, 3)
    page, _ = await open_page(browser, service, "?range=6")
    await answer_workers(page, worker(patterns=[]))
    before = await page.evaluate("history.length")
    for _ in range(2):
        await page.locator("#errors a.worker").first.click()
        await page.locator("#details .rows a.message").first.click()
        await expect(page.locator("#details h2")).to_contain_text("RankError")
        await page.keyboard.press("Escape")
        await page.wait_for_url("**?range=6")
        await expect(page.locator("#details")).to_be_hidden()
    assert await page.evaluate("history.length") == before + 2  # the entries for the forward button


async def test_a_worker_says_what_it_is_now_its_measurements_and_what_it_ran(
    browser: Browser, service: InProcess
) -> None:
    await ranks(service, 3)
    page, complaints = await open_page(browser, service)
    await answer_workers(page, worker())
    await page.locator("#errors a.worker", has_text="w1").click()
    dialog = page.locator("#details")
    await expect(dialog.locator(".state")).to_have_text("○ silent · nothing since a critical error")
    await expect(dialog.locator(".said")).to_contain_text(f"Drained by {HOSTILE} since")
    await expect(dialog.get_by_role("img", name="CPU: now 80 %, between 0 and 80 %")).to_be_visible()
    await expect(dialog.get_by_role("img", name=re.compile("GPU temperature: now 68 °C"))).to_be_visible()
    await expect(dialog.locator("figure")).to_have_count(2)  # only what was measured
    await dialog.get_by_text("As a table").click()
    await expect(dialog.get_by_role("region", name="Table of times").locator("tbody tr")).to_have_count(9)
    await expect(dialog.locator(".rows li")).to_have_count(1)
    await expect(dialog.get_by_role("link", name=HOSTILE)).to_have_count(2)
    await expect(dialog.get_by_text("GPU 0")).to_be_visible()
    assert await dialog.locator("img").count() == 0
    assert complaints == []


async def test_a_worker_as_the_service_knows_it(browser: Browser, service: InProcess) -> None:
    metrics = {"metrics": {"cpu": {"percent": 40}}}
    await service.post(
        {"worker_id": "w/1", "message": "the fan stopped", "run": RUN, "devices": ["GPU-1"], "system_context": metrics}
    )
    page, complaints = await open_page(browser, service)
    await page.locator("#workers").get_by_role("link", name="w/1").click()
    dialog = page.locator("#details")
    await expect(dialog.locator(".state")).to_contain_text("▲ critical · ")
    for table, name in (("pattern", "the fan stopped"), ("device", "GPU-1"), ("run", "nightly/7")):
        await expect(
            dialog.get_by_role("region", name=f"Table of {table}s").get_by_role("link", name=name)
        ).to_be_visible()
    await expect(dialog.get_by_role("img", name="CPU: now 40 %, between 40 and 40 %")).to_be_visible()
    await expect(dialog.locator(".rows li")).to_have_count(1)
    assert complaints == []


async def test_a_run_says_what_failed_first_what_followed_and_leads_to_its_tests(
    browser: Browser, service: InProcess
) -> None:
    first = {"worker_id": "w9", "message": "the link is down", "run": RUN, "timestamp": ago(30)}
    await service.post(first)
    for number, minutes in enumerate((29, 20, 3)):
        test = {"id": "t::slow", "outcome": "failed"}
        await service.post(rank(number, run=RUN, test=test, timestamp=ago(minutes)))
    await service.post(rank(5, run={"id": "other"}, test={"id": "t::slow"}))
    tests = {"w0": {"failed": ["t::slow"], "passed": [f"t::{n}" for n in range(20)]}}
    await service.ask("/api/runs", {"run": RUN, "worker_id": "ctl", "workers": tests})
    page, complaints = await open_page(browser, service)
    await page.locator("#ranked-run").get_by_role("link", name="nightly/7").click()
    dialog = page.locator("#details")
    await expect(dialog.locator("h2")).to_have_text("Run nightly/7")
    await expect(dialog.locator("section", has_text="What failed first").locator(".rows li")).to_contain_text(
        "the link is down"
    )
    followed = dialog.locator("section", has_text="What followed").locator("tbody tr")
    await expect(followed).to_have_text(
        [re.compile("the link is downat first1"), re.compile(r"no answer of rank.*\+1 min3")]
    )
    rows = dialog.get_by_role("region", name="Table of tests").locator("tbody tr")
    await expect(rows.first).to_contain_text("t::slow▲ failedw03")
    await dialog.get_by_role("button", name="Show all 21").click()
    await expect(rows).to_have_count(21)
    await rows.first.get_by_role("link", name="t::slow").click()

    await expect(dialog.locator("h2")).to_have_text("Test t::slow")
    await expect(dialog.locator(".facts")).to_contain_text("1 failed · 0 passed")
    elsewhere = dialog.get_by_role("region", name="Table of runs")
    await expect(elsewhere.get_by_role("link")).to_have_text(["nightly/7", "other"])
    await elsewhere.get_by_role("link", name="other").click()
    await expect(dialog.locator("h2")).to_have_text("Run other")
    assert complaints == []


async def test_a_ranking_says_where_it_ends(browser: Browser, service: InProcess) -> None:
    page, _ = await open_page(browser, service)
    found = await page.evaluate(
        """async () => {
            const { table } = await import("/static/view_parts.js");
            const rows = (count) => Array.from({ length: count }, (_, i) => [`t::${i}`, i]);
            const shown = [];
            for (const count of [150, 1000]) {
                const made = table(["test", "errors"], rows(100), { total: Infinity, rest: async () => rows(count) });
                document.querySelector("main").append(made);
                const button = made.parentElement.querySelector("button.more") ?? made.querySelector("button.more");
                const label = button.textContent;
                await button.onclick();
                shown.push([label, made.querySelectorAll("tbody tr").length, made.querySelector("p.quiet")?.textContent ?? ""]);
                made.remove();
            }
            return shown;
        }"""
    )
    assert found == [["Show more", 150, ""], ["Show more", 1000, "These are the 1,000 with most errors."]]


@pytest.mark.parametrize("kind", ["pattern", "worker", "run", "test"])
async def test_a_dead_link_says_so(browser: Browser, service: InProcess, kind: str) -> None:
    page, _ = await open_page(browser, service, view(kind, HOSTILE))
    await expect(page.locator("#details .body")).to_contain_text("The link may be old")
    await page.keyboard.press("Escape")
    await page.wait_for_url("**?range=24")


@pytest.mark.parametrize("address", ["nothing", "nothing:5", "pattern:", "__proto__:a", "constructor:a"])
async def test_an_address_that_names_no_view_says_so(browser: Browser, service: InProcess, address: str) -> None:
    page, complaints = await open_page(browser, service, f"?view={address}")
    await expect(page.locator("#details .body")).to_have_text(f"This link names nothing that can be shown: {address}")
    assert complaints == []


async def test_a_pattern_without_errors_in_the_span_leads_to_its_last_ones(
    browser: Browser, service: InProcess
) -> None:
    id_ = await ranks(service, 2, timestamp=ago(60 * 50))
    page, _ = await open_page(browser, service, view("pattern", id_) + "&range=1")
    body = page.locator("#details .body")
    await expect(body).to_contain_text("There is no error of the pattern")
    await body.get_by_role("link", name="show the day before it").click()
    await expect(page.locator("#details .rows li")).to_have_count(2)


async def test_a_view_is_drawn_when_the_service_is_back(browser: Browser, service: InProcess) -> None:
    id_ = await ranks(service, 2)
    page, _ = await open_page(browser, service)
    await page.route("**/api/patterns/**", lambda route: route.abort())
    await page.locator("#patterns a").filter(has_text="no answer of rank").click()
    await expect(page.locator("#details")).to_contain_text("The service does not answer")
    await page.unroute("**/api/patterns/**")
    await service.post({"message": "a reason to ask again"})
    await expect(page.locator("#details h2")).to_contain_text("Pattern")
    assert id_ in page.url


async def test_on_a_phone_a_view_fills_the_screen_and_its_exit_stays_in_sight(
    browser: Browser, service: InProcess
) -> None:
    id_ = await ranks(service, 25, traceback="\n".join(f"frame {n}" for n in range(60)))
    error = (await service.get("/api/errors/list"))["errors"][0]["id"]
    for query in (view("pattern", id_), f"?error={error}"):
        page, _ = await open_page(browser, service, query, viewport=PHONE)
        await filled(page)
        box = await page.locator("#details").bounding_box()
        assert box and (box["x"], box["y"], box["width"], box["height"]) == (0, 0, 390, 700)
        assert await page.locator("#details").evaluate(
            "d => { d.scrollTop = d.scrollHeight; return d.scrollTop > 300 && d.scrollWidth <= d.clientWidth; }"
        )
        back = page.locator("#details .back")
        await expect(back).to_be_in_viewport(ratio=1)
        await back.click()
        await expect(page.locator("#details")).to_be_hidden()


async def test_merging_in_the_view_goes_on_with_the_other_pattern(browser: Browser, service: InProcess) -> None:
    await ranks(service, 3)
    await service.post({"type": "Other", "message": "the pump is off"})
    page, complaints = await open_page(browser, service)
    await page.locator("#patterns a").filter(has_text="the pump is off").click()
    dialog = page.locator("#details")
    await dialog.get_by_text("Correct the grouping").click()
    await expect(dialog.locator("#view-merge-into option")).to_have_count(2)
    await dialog.locator("#view-merge-into").select_option(index=1)
    await dialog.get_by_role("button", name="Merge", exact=True).click()
    await expect(dialog.get_by_role("status")).to_have_text("The patterns are one now.")
    await expect(dialog.locator(".facts").first).to_contain_text("4 errors")
    await expect(page.locator("#patterns tbody tr")).to_have_count(1)
    assert complaints == []


async def test_the_values_at_the_places_of_a_template(browser: Browser, service: InProcess) -> None:
    page, _ = await open_page(browser, service)
    found = await page.evaluate("""async () => {
        const { variables } = await import('/static/variables.js');
        const text = (template, messages) => {
            const { fitting, places } = variables(template, messages);
            return [fitting, ...places.map(({ before, values }) => `${before}: ${values.map(([value, count]) => `${value} ${count}`)}`)].join(" | ");
        };
        return [
            text("rank <*> of <*>", ["rank 1 of  2", "rank 1 of 3", "other", "rank"]), text("<*>", ["a", "b", "b"]), text("no place", ["no place"]),
            text("a <*> b", ["a  b", "a x b b", "ab", "a b"]), text("<*><*>", ["xy"]), text("(<*>) $& [<*>", ["(1) $& [2"]),
        ];
    }""")
    assert found == [
        "2 | rank: 1 2 | of: 2 1,3 1", "3 | : b 2,a 1", "1", "1 | a: x b 1", "1 | :  1 | : xy 1", "1 | (: 1 1 | $& [: 2 1",
    ]  # fmt: skip
