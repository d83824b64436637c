"""Any span of time on the page: in words, by calendar, by dragging on the chart, by keyboard; compared and shared."""

import datetime as dt
import re
from typing import Any
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import pytest
from chromium import Browser, needs_chromium, open_page
from conftest import InProcess
from playwright.async_api import Page, expect
from test_page_accessibility import AXE, violations

from exporter.live.presence import Period

pytestmark = [pytest.mark.html, needs_chromium]
AXIS = "#over-time .axis"


def ago(**of: float) -> dt.datetime:
    return dt.datetime.now(dt.UTC) - dt.timedelta(**of)


async def report(service: InProcess, at: dt.datetime, **more: Any) -> None:
    await service.post({"timestamp": at.isoformat()} | more)


def asked(page: Page) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}


async def total(page: Page, count: int) -> None:
    await expect(page.locator("[data-card=total_errors] .count")).to_have_text(str(count))


async def plot(page: Page) -> dict[str, float]:
    """Where the bars are on the screen."""
    await expect(page.locator(AXIS)).to_be_visible()
    await page.locator("#over-time").scroll_into_view_if_needed()
    found: dict[str, float] = await page.locator(".chart-keys").evaluate(
        "e => { const {x, y, width, height} = e.getBoundingClientRect(); return {x, y, width, height}; }"
    )
    return found


async def test_last_night_is_two_actions_and_moves_the_focus_nowhere_else(browser: Browser, service: InProcess) -> None:
    await report(service, ago(minutes=1))
    page, complaints = await open_page(browser, service, "?worker=worker-1")
    await page.locator(".span-now").click()
    await page.get_by_role("button", name="last night 22–06").click()
    await expect(page.locator("#span-sheet")).to_be_hidden()
    await expect(page.locator(".span-now")).to_be_focused()
    begin = dt.datetime.fromisoformat(asked(page)["from"]).astimezone()
    assert (begin.hour, begin.minute) == (22, 0)
    assert (dt.datetime.now().astimezone().date() - begin.date()).days == 1
    assert asked(page)["worker"] == "worker-1"
    await expect(page.locator("#range [aria-current]")).to_have_count(0)
    assert complaints == []


async def test_a_text_is_read_while_it_is_typed(browser: Browser, service: InProcess) -> None:
    await report(service, ago(hours=2))
    await report(service, ago(hours=5), worker_id="earlier")
    page, complaints = await open_page(browser, service)
    await total(page, 2)
    await page.locator(".span-now").click()
    field, read = page.locator("#span-text"), page.locator("#span-read")
    await expect(field).to_be_focused()
    await field.fill("last blue moon")
    await expect(read).to_contain_text("“last blue moon” is no span that can be read")
    await expect(field).to_have_attribute("aria-invalid", "true")
    await page.keyboard.press("Enter")
    await expect(page.locator("#span-sheet")).to_be_visible()
    await field.fill("last 3 h")
    await expect(read).to_contain_text(re.compile(r"– now · 3 h$"))
    await expect(page.locator("#polite")).to_contain_text("· 3 h")  # for screen readers
    await page.keyboard.press("Enter")
    await total(page, 1)
    assert asked(page) == {"range": "3"}  # stays relative: a bookmark moves on
    await expect(page.locator(".span-words")).to_have_text("last 3 h")
    await page.go_back()
    await total(page, 2)
    await expect(page.locator(".span-words")).to_have_text("last 24 h")
    assert complaints == []


async def test_the_calendar_steps_and_zoom_out(browser: Browser, service: InProcess) -> None:
    await report(service, ago(hours=30), worker_id="old")
    await report(service, ago(hours=3), worker_id="new")
    page, complaints = await open_page(browser, service)
    await page.locator(".span-now").click()
    await expect(page.locator("#span-to")).to_have_value("")
    await page.locator("#span-from").fill("2020-05-01T10:00")
    await page.locator("#span-to").fill("2020-05-01T09:00")
    await page.locator(".span-dates button").click()
    await expect(page.locator("#span-dates-read")).to_have_text("This span ends before it begins.")
    begin = (dt.datetime.now() - dt.timedelta(hours=31)).replace(second=0, microsecond=0)
    await page.locator("#span-from").fill(begin.isoformat(timespec="minutes"))
    await page.locator("#span-to").fill((begin + dt.timedelta(hours=2)).isoformat(timespec="minutes"))
    await page.locator(".span-dates button").click()
    await total(page, 1)
    first = asked(page)
    assert dt.datetime.fromisoformat(first["from"]) == begin.astimezone()
    await page.get_by_role("button", name="The span after", exact=True).first.click()
    await expect(page).not_to_have_url(re.compile(re.escape(first["from"].replace(":", "%3A"))))
    assert asked(page)["from"] == first["to"]
    await total(page, 0)
    await page.get_by_role("button", name="The span before", exact=True).first.click()
    await total(page, 1)
    assert asked(page) == first
    for _ in range(6):
        await page.locator(".zoom-out").click()
    await total(page, 2)
    assert "to" not in asked(page)  # 128 h around that middle would end after now
    length = dt.datetime.now(dt.UTC) - dt.datetime.fromisoformat(asked(page)["from"])
    assert dt.timedelta(hours=127) < length < dt.timedelta(hours=129)
    assert complaints == []


async def test_the_sheet_closes_on_escape_tab_out_and_a_click_elsewhere(browser: Browser, service: InProcess) -> None:
    page, _ = await open_page(browser, service)
    sheet, opener = page.locator("#span-sheet"), page.locator(".span-now")
    await opener.focus()
    await page.keyboard.press("Enter")
    await expect(sheet).to_be_visible()
    await expect(opener).to_have_attribute("aria-expanded", "true")
    await page.keyboard.press("Escape")
    await expect(sheet).to_be_hidden()
    await expect(opener).to_be_focused()
    await page.keyboard.press("Enter")
    await sheet.get_by_role("button", name="Copy link to exactly this").focus()  # the last of the sheet
    await page.keyboard.press("Tab")
    await expect(sheet).to_be_hidden()
    await opener.click()
    await page.mouse.click(5, 500)
    await expect(sheet).to_be_hidden()


async def test_a_drag_on_the_chart_selects_its_span(browser: Browser, service: InProcess) -> None:
    await report(service, ago(hours=12))
    await report(service, ago(hours=1))
    page, complaints = await open_page(browser, service)
    await total(page, 2)
    place = await plot(page)
    x, y = place["x"], place["y"] + place["height"] / 2
    await page.mouse.move(x + place["width"] * 0.4, y)
    await page.mouse.down()
    await page.mouse.move(x + place["width"] * 0.6, y, steps=3)
    await expect(page.locator(".selection")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.locator(".selection")).to_be_hidden()
    await page.mouse.up()
    assert "from" not in asked(page)
    await page.mouse.move(x + place["width"] * 0.6, y)  # to the left, too
    await page.mouse.down()
    await page.mouse.move(x + place["width"] * 0.4, y, steps=3)
    await page.mouse.up()
    await total(page, 1)
    begin, end = (dt.datetime.fromisoformat(asked(page)[name]) for name in ("from", "to"))
    assert dt.timedelta(hours=4.5) < end - begin < dt.timedelta(hours=5.5)
    assert abs(begin - ago(hours=14.4)) < dt.timedelta(minutes=40)
    assert begin.minute % 15 == end.minute % 15 == 0  # whole bars
    await page.wait_for_function(
        "document.querySelector('#over-time .picture').ariaLabel.includes('critical 1,')"
    )  # although the pointer is on it
    place, asked_before = await plot(page), asked(page)["from"]
    await page.mouse.dblclick(place["x"] + place["width"] / 2, place["y"] + 40)
    await page.wait_for_function("from => new URLSearchParams(location.search).get('from') < from", arg=asked_before)
    wider = [dt.datetime.fromisoformat(asked(page)[name]) for name in ("from", "to")]
    assert wider[1] - wider[0] == 2 * (end - begin)
    assert wider[0] + (wider[1] - wider[0]) / 2 == begin + (end - begin) / 2
    assert complaints == []


async def test_a_finger_selects_and_a_scroll_does_not(browser: Browser, service: InProcess) -> None:
    await report(service, ago(minutes=30))
    context = await browser.new_context(has_touch=True, viewport={"width": 360, "height": 740})
    page = await context.new_page()
    await page.goto(str(service.client.make_url("/error-visualization")))
    place = await plot(page)
    assert await page.locator(".plot").first.evaluate("e => getComputedStyle(e).touchAction") == "pan-y"
    x, y = place["x"] + place["width"] * 0.3, place["y"] + 30
    session = await context.new_cdp_session(page)
    for kind, to in (("touchStart", 0), ("touchMove", 20), ("touchMove", 60), ("touchEnd", None)):
        points = [] if to is None else [{"x": x + to, "y": y}]
        await session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    await page.wait_for_function("new URLSearchParams(location.search).has('from')")
    await context.close()


async def test_the_keyboard_reads_the_chart_and_selects(browser: Browser, service: InProcess) -> None:
    await report(service, ago(hours=3))
    page, complaints = await open_page(browser, service)
    await expect(page.locator(AXIS)).to_be_visible()
    keys = page.get_by_role("slider", name=re.compile("Errors over time"))
    await keys.focus()
    await expect(keys).to_have_attribute("aria-valuetext", re.compile("no errors$"))
    for _ in range(14):
        if "1 critical" in (await keys.get_attribute("aria-valuetext") or ""):
            break
        await page.keyboard.press("ArrowLeft")
    await expect(keys).to_have_attribute("aria-valuetext", re.compile(r"\d\d:\d\d: 1 critical$"))
    await page.keyboard.press("Shift+ArrowLeft")
    await page.keyboard.press("Shift+ArrowLeft")
    await expect(page.locator(".selection")).to_be_visible()
    await expect(keys).to_have_attribute("aria-valuetext", re.compile("^selected .* · 45 min$"))
    await page.keyboard.press("Escape")
    await expect(page.locator(".selection")).to_be_hidden()
    await page.keyboard.press("Shift+ArrowRight")
    await page.keyboard.press("Enter")
    await page.wait_for_function("new URLSearchParams(location.search).has('to')")
    begin, end = (dt.datetime.fromisoformat(asked(page)[name]) for name in ("from", "to"))
    assert end - begin == dt.timedelta(minutes=30)
    await expect(keys).to_be_focused()
    asked_before = asked(page)["from"]
    await page.keyboard.press("-")
    await page.wait_for_function("from => new URLSearchParams(location.search).get('from') < from", arg=asked_before)
    assert complaints == []


async def test_a_copied_link_shows_the_same_later(browser: Browser, service: InProcess) -> None:
    await report(service, ago(minutes=10))
    page, _ = await open_page(browser, service, "?range=6&severity=critical")
    await page.evaluate("navigator.clipboard.writeText = (text) => { window.copied = text; return Promise.resolve(); }")
    await page.locator("#span > .span-link").click()
    await expect(page.locator("#span > .span-link")).to_have_text("Copied")
    link = await page.evaluate("window.copied")
    query = parse_qs(urlsplit(link).query)
    begin, end = (dt.datetime.fromisoformat(query[name][0]) for name in ("from", "to"))
    assert end - begin == dt.timedelta(hours=6)
    assert abs(end - dt.datetime.now(dt.UTC)) < dt.timedelta(seconds=30)
    assert query["severity"] == ["critical"]
    assert "range" not in query
    await expect(page.locator("#span > .span-link")).to_have_text("Copy link")
    assert asked(page) == {"range": "6", "severity": "critical"}
    await service.post({"worker_id": "later"})
    other = await browser.new_page()
    await other.goto(link)
    await total(other, 1)


async def test_another_span_is_compared(browser: Browser, service: InProcess) -> None:
    for hours in (3, 4, 30):
        await report(service, ago(hours=hours), worker_id=f"w{hours}")
    await report(service, ago(hours=31), worker_id="w31", error_category="TEST_FAILURE")
    page, complaints = await open_page(browser, service)
    await total(page, 2)
    await page.locator(".span-now").click()
    await page.get_by_role("radio", name="the span before").check()
    await expect(page.locator("[data-card=total_errors] .change")).to_have_text("same against the span before")
    await expect(page.locator("[data-card=critical_errors] .change")).to_have_text("+100 % against the span before")
    await expect(page.locator("[data-card=network_errors] .change")).to_have_count(0)  # none then and now
    await expect(page.locator("#over-time .compared")).to_be_attached()
    await page.keyboard.press("Escape")
    await page.get_by_role("button", name="errors over time as table").click()
    table = page.locator("#over-time table")
    await expect(table.locator("th")).to_have_text(["from", "critical", "warning", "info", "the span before"])
    column = await table.locator("tbody tr").evaluate_all("rows => rows.map(row => Number(row.cells[4].textContent))")
    assert sum(column) == 2
    await page.get_by_role("button", name="errors over time as chart").click()
    await page.locator("[data-card=critical_errors]").click()  # all other filters are equal
    await expect(page.locator("[data-card=total_errors] .change")).to_have_text("+100 % against the span before")
    assert asked(page)["compare"] == "before"
    await page.locator(".span-now").click()
    await page.get_by_role("radio", name="nothing").check()
    await expect(page.locator(".change")).to_have_count(0)
    await expect(page.locator("#over-time .compared")).to_have_count(0)
    assert complaints == []


async def test_new_patterns_are_marked_where_they_began(browser: Browser, service: InProcess) -> None:
    await report(service, ago(hours=40), message="old and known")
    await report(service, ago(hours=5), message="old and known")
    await report(service, ago(hours=6), message="<b>new</b>")
    page, complaints = await open_page(browser, service)
    mark = page.locator("#over-time .chart-mark")
    await expect(mark).to_have_count(1)
    await expect(mark).to_have_attribute("title", re.compile(r"\d\d:\d\d: new pattern: <b>new<"))
    place, box = await plot(page), await mark.bounding_box()
    assert box
    assert abs((box["x"] + box["width"] / 2 - place["x"]) / place["width"] - 0.75) < 0.02
    await mark.click()
    await expect(page).to_have_url(re.compile("pattern"))
    assert complaints == []


async def test_restarts_and_mutes_are_marked_in_the_readers_time(browser: Browser, service: InProcess) -> None:
    loud = {"message": "a <b>horn"}
    pattern = (await service.post({"timestamp": ago(hours=40).isoformat()} | loud))["pattern_id"]
    await report(service, ago(minutes=5), **loud)
    stopped, started = ago(hours=12), ago(hours=6)
    service.service.presence.periods[:] = [
        Period(ago(hours=20).timestamp(), stopped.timestamp()), Period(started.timestamp(), started.timestamp())
    ]  # fmt: skip
    mute = {"by": "Ana", "until": ago(hours=-8).isoformat(), "errors": 9}
    made = (await service.ask(f"/api/patterns/{pattern}/mute", mute))["state"]
    context = await browser.new_context(timezone_id="Asia/Kolkata", locale="en-GB")
    page = await context.new_page()
    await page.goto(str(service.client.make_url("/error-visualization")))
    marks = page.locator("#over-time .chart-mark")
    await expect(marks).to_have_count(2)

    async def local(at: dt.datetime | str) -> str:
        moment = dt.datetime.fromisoformat(at) if isinstance(at, str) else at
        ms = moment.timestamp() * 1000
        text: str = await page.evaluate(f"async () => (await import('/static/span.js')).moment({ms})")
        assert text.endswith(f"{moment.astimezone(ZoneInfo('Asia/Kolkata')):%H:%M}")
        return text

    said = [
        f"{await local(started)}: the service started; it had not run for 6 h, since {await local(stopped)}",
        f"{await local(made['at'])}: muted by Ana until {await local(made['until'])} or for 9 errors: a <b>horn",
    ]
    for mark, words in zip(await marks.all(), said, strict=True):
        await expect(mark).to_have_attribute("title", words)
        await expect(mark.locator(".hidden")).to_have_text(words)
    place, gap = await plot(page), await page.locator("#over-time .gap").bounding_box()
    assert gap
    assert abs((gap["x"] - place["x"]) / place["width"] - 0.5) < 0.02
    assert abs(gap["width"] / place["width"] - 0.25) < 0.02
    await marks.last.click()
    await expect(page).to_have_url(re.compile("pattern"))


async def test_the_hour_that_comes_twice_has_its_offsets(browser: Browser, serve: Any) -> None:
    service: InProcess = await serve(timezone="UTC")
    context = await browser.new_context(timezone_id="Europe/Berlin", locale="en-GB")
    page = await context.new_page()
    await page.goto(str(service.client.make_url(
        "/error-visualization?from=2026-10-24T22:00:00Z&to=2026-10-25T04:00:00Z&severity=critical"
    )))  # fmt: skip
    await expect(page.locator(AXIS)).to_be_visible()
    texts = await page.locator(f"{AXIS} text").all_text_contents()
    assert texts[:2] == ["00:00", "Sun 25 Oct"]
    assert texts.count("02:00") == 2
    offsets = [text for text in texts if text.startswith("+")]  # a wide chart has more than one time of that hour
    assert offsets == ["+02:00"] * (len(offsets) // 2) + ["+01:00"] * (len(offsets) // 2) != []
    await page.get_by_role("button", name="errors over time as table").click()
    await page.locator("#over-time").evaluate("() => 0")
    await page.locator(".span-now").click()
    await page.locator("#span-text").fill("25 Oct 2026 02:00–03:00")
    await expect(page.locator("#span-read")).to_have_text("Sun 25 Oct, 02:00 +02:00 – Sun 25 Oct, 03:00 +01:00 · 2 h")
    await context.close()


async def test_a_worker_named_proto_changes_no_prototype(browser: Browser, service: InProcess) -> None:
    for name in ("__proto__", "constructor", "toString"):
        await service.post({"worker_id": name, "type": name, "error_category": name, "message": name})
        await service.post({"worker_id": name, "hardware_context": {"hardware_type": name}})
    page = await browser.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    await page.add_init_script("window.before = Object.getOwnPropertyNames(Object.prototype).join()")
    await page.goto(str(service.client.make_url("/error-visualization?compare=before")))
    await expect(page.locator("#by-worker svg path").first).to_be_attached()
    await page.locator("#by-worker").hover()
    await expect(page.locator("#over-time .axis")).to_be_attached()
    assert await page.evaluate("Object.getOwnPropertyNames(Object.prototype).join() === window.before")
    assert await page.evaluate(
        "[Object.keys({}).length, [...(function* () { for (const name in {}) yield name; })()].length]"
    ) == [0, 0]
    await page.get_by_role("button", name="errors by worker as table").click()
    assert sorted(await page.locator("#by-worker tbody td:first-child").all_text_contents()) == [
        "__proto__",
        "constructor",
        "toString",
    ]
    assert complaints == []


@pytest.mark.skipif(not AXE.exists(), reason="axe-core is not installed (make test installs it)")
@pytest.mark.parametrize(("theme", "width"), [("light", 1280), ("dark", 1280), ("light", 360), ("dark", 360)])
async def test_no_violation(browser: Browser, service: InProcess, theme: str, width: int) -> None:
    for hours in (2, 3, 30):
        await report(service, ago(hours=hours), message=f"<i>at {'abc'[hours % 3]}</i>")
    page, _ = await open_page(
        browser, service, "?compare=before", color_scheme=theme, viewport={"width": width, "height": 900}
    )
    await expect(page.locator("#over-time .compared")).to_be_attached()
    await expect(page.locator("[data-card=total_errors] .change")).to_be_attached()
    assert await violations(page, "{include: [['#over-time'], ['header'], ['#cards']]}") == []
    await page.locator(".span-now").click()
    for text in ("last 3 h", "gibberish"):
        await page.locator("#span-text").fill(text)
        assert await violations(page, "'#span'") == []
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    box = await page.locator("#span-sheet").bounding_box()
    assert box
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width
    assert box["width"] > 320
