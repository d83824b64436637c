"""Sounds mark events: what is one, which tab makes it, what mutes it, and what becomes of a file that is no sound."""

import datetime as dt
from typing import Any

import pytest
from chromium import Browser, listed, needs_chromium, open_page
from conftest import InProcess
from hearing import LISTEN, heard
from playwright.async_api import BrowserContext, Page, expect
from verdicts import Verdicts

from exporter.http import pages

pytestmark = [pytest.mark.html, needs_chromium]
INFO = {"error_category": "TEST_FAILURE", "message": "1 != 2", "worker_id": "w3", "type": "AssertionError"}
WARNING = {"error_category": "NETWORK_TIMEOUT", "message": "no answer", "worker_id": "w2", "type": "Timeout"}
PAUSE_MS = 2100  # between two sounds


async def light(browser: Browser, service: InProcess) -> Page:
    """A page that loads nothing of itself, for functions of modules."""
    page = await browser.new_page()
    await page.goto(str(service.client.make_url("/static/login.html")))
    return page


async def listening(place: Browser | BrowserContext, service: InProcess, query: str = "") -> Page:
    """The page with its sound turned on."""
    page = await place.new_page()
    await page.add_init_script(LISTEN)
    await page.goto(str(service.client.make_url(f"/error-visualization{query}")))
    await expect(page.locator("#connection")).to_have_attribute("data-state", "live")
    if await page.locator("#sound-on").is_visible():
        await page.locator("#sound-on").click()
    await expect(page.locator("#sound-on")).to_be_hidden()
    return page


@pytest.fixture
async def verdicts(service: InProcess) -> Verdicts:
    return await Verdicts.of(service)


def report(number: int, **more: Any) -> dict[str, Any]:
    at = "2026-11-26T02:00:00Z"
    return {"id": number, "pattern_id": "p", "fingerprint": "f", "worker_id": "w", "severity": "critical",
            "is_system_critical": False, "imported": False, "timestamp": at, "received_at": at} | more  # fmt: skip


def at(minute: float) -> dict[str, str]:
    time = (dt.datetime(2026, 11, 26, 2, tzinfo=dt.UTC) + dt.timedelta(minutes=minute)).isoformat()
    return {"timestamp": time, "received_at": time}


FIRSTS: list[tuple[str, list[dict[str, Any]], list[int]]] = [
    ("the first sounds, a repeat does not", [report(1), report(2)], [1]),
    ("in the order of the service", [report(2), report(1)], [1]),
    ("each worker has its first", [report(1), report(2, worker_id="v")], [1, 2]),
    ("each pattern has its first", [report(1), report(2, pattern_id="q", fingerprint="g")], [1, 2]),
    ("a pattern that got its id later", [report(1, pattern_id="f"), report(2), report(3, fingerprint="g")], [1]),
    ("a graver one is news", [report(1, severity="info"), report(2, severity="warning"), report(3)], [1, 2, 3]),
    ("a milder one is not", [report(1), report(2, severity="warning"), report(3)], [1]),
    ("system-critical is graver", [report(1), report(2, is_system_critical=True), report(3)], [1, 2]),
    ("29 minutes later it goes on", [report(1), report(2, **at(29)), report(3, **at(58))], [1]),
    ("30 minutes later it is a first again", [report(1), report(2, **at(30))], [1, 2]),
    ("imports are of the past", [report(1, imported=True), report(2)], [2]),
    ("half an hour late is of the past", [report(1, received_at=at(30)["received_at"])], []),
    ("29 minutes late is not", [report(1, received_at=at(29)["received_at"])], [1]),
    ("from the future", [report(1, timestamp=at(60)["timestamp"])], [1]),
    ("names of the language", [report(1, worker_id="__proto__"), report(2, worker_id="__proto__"), report(3, worker_id="toString")], [1, 3]),
    ("no time", [report(1, timestamp="", received_at="")], [1]),
]  # fmt: skip
TURNS: list[tuple[str, list[tuple[str, str]], list[str | None]]] = [
    ("the first verdict is no event", [("critical", "critical")], [None]),
    ("a surge is one, once", [("calm", "calm"), ("warning", "surge"), ("warning", "surge")], [None, "surge", None]),
    ("already surging when it opens", [("warning", "surge"), ("calm", "calm")], [None, "recovered"]),
    ("calm again, once", [("critical", "critical"), ("warning", "recovering"), ("calm", "calm"), ("calm", "calm")], [None, None, "recovered", None]),
    ("silent workers end, too", [("warning", "silent"), ("calm", "calm")], [None, "recovered"]),
    ("unknown changes nothing", [("critical", "critical"), ("unknown", "critical"), ("unknown", "quiet"), ("calm", "calm")], [None, None, None, "recovered"]),
    ("calm behind is not calm", [("critical", "critical"), ("unknown", "calm")], [None, None]),
    ("unknown first", [("unknown", "empty"), ("calm", "calm")], [None, None]),
    ("a surge of a surge", [("calm", "calm"), ("warning", "surge"), ("critical", "critical"), ("warning", "surge")], [None, "surge", None, "surge"]),
]  # fmt: skip


async def test_which_errors_and_verdicts_are_events(browser: Browser, service: InProcess) -> None:
    page = await light(browser, service)
    found = await page.evaluate(
        """async (rows) => {
            const { firsts } = await import("/static/events.js");
            return rows.map(([, errors]) => firsts(new Map(), errors).map(({ id }) => id));
        }""",
        FIRSTS,
    )
    assert dict(zip((name for name, *_ in FIRSTS), found, strict=True)) == {name: ids for name, _, ids in FIRSTS}
    found = await page.evaluate(
        """async (rows) => {
            const { turn } = await import("/static/events.js");
            return rows.map(([, verdicts]) => {
                let state = null, event;
                return verdicts.map(([colour, rule]) => { ({ state, event } = turn(state, { colour, rule })); return event; });
            });
        }""",
        TURNS,
    )
    assert dict(zip((name for name, *_ in TURNS), found, strict=True)) == {name: events for name, _, events in TURNS}
    found = await page.evaluate(
        """async (error) => {
            const { firsts, turn } = await import("/static/events.js");
            const heard = new Map(), at = (id, unheard, more) => firsts(heard, [{ ...error, id, ...more }], { unheard: () => unheard }).length;
            const surge = { colour: "warning", rule: "surge" }, muted = turn({ bad: false, surging: false }, surge, true);
            return [at(1, true), at(2, true), at(3, false), at(4, false), at(5, true, { is_system_critical: true }), at(6, false),
                at(7, false, { is_system_critical: true }), muted.event, turn(muted.state, surge).event, turn(turn(muted.state, surge).state, surge).event];
        }""",
        report(1),
    )
    assert found == [1, 1, 1, 0, 1, 0, 1, "surge", "surge", None]  # what nobody could hear is heard later
    many = await page.evaluate(
        """async (error) => {
            const { firsts } = await import("/static/events.js");
            const heard = new Map(), few = [error, { ...error, id: 2 }];
            const every = firsts(heard, few, { every: true }).length;
            firsts(heard, Array.from({ length: 30_000 }, (_, i) => ({ ...error, id: i, worker_id: `w${i}` })));
            return [every, heard.size];
        }""",
        report(1),
    )
    assert many == [2, 20_000]


async def test_mutes_end_and_are_merged_and_one_tab_leads(browser: Browser, service: InProcess) -> None:
    page = await light(browser, service)
    ends = """async (now) => {
        const { ends } = await import("/static/mutes.js");
        const time = new Date(now).getTime();
        return ends(time).map(([value, , until]) => [value, until === null ? null : new Date(until).toString().slice(0, 21)]);
    }"""
    assert await page.evaluate(ends, "2026-11-27T03:10:00") == [
        ["quarter", "Fri Nov 27 2026 03:25"], ["hour", "Fri Nov 27 2026 04:10"], ["today", "Fri Nov 27 2026 08:00"],
        ["tomorrow", "Sat Nov 28 2026 08:00"], ["open", None],
    ]  # fmt: skip
    assert await page.evaluate(ends, "2026-12-31T23:59:00") == [
        ["quarter", "Fri Jan 01 2027 00:14"], ["hour", "Fri Jan 01 2027 00:59"], ["tomorrow", "Fri Jan 01 2027 08:00"],
        ["open", None],
    ]  # fmt: skip
    wrong = await page.evaluate("""async () => {
        const { isMuted, merge, muted, ofList } = await import("/static/mutes.js");
        const { elect } = await import("/static/lead.js");
        const mute = (name, until, at) => ({ [name]: { until, at } });
        const both = (a, b) => { const [one, other] = [merge(a, b), merge(b, a)].map((made) => JSON.stringify(made)); return one === other ? JSON.parse(one) : "depends on the order"; };
        const first = elect;
        const rows = [
            ["no end", isMuted(mute("all", null, 1), "all", 5), true],
            ["before the end", isMuted(mute("all", 6, 1), "all", 5), true],
            ["at the end", isMuted(mute("all", 5, 1), "all", 5), false],
            ["ended by hand", isMuted(mute("all", 0, 1), "all", 5), false],
            ["another one", isMuted(mute("info", null, 1), "all", 5), false],
            ["of two tabs", both(mute("info", null, 1), mute("critical", 9, 2)), { ...mute("critical", 9, 2), ...mute("info", null, 1) }],
            ["the later counts", both(mute("all", null, 1), mute("all", 0, 2)), mute("all", 0, 2)],
            ["said at one time", both(mute("all", 3, 1), mute("all", null, 1)), mute("all", null, 1)],
            ["junk", both({ all: 1, info: { until: "x", at: 1 }, constructor: { until: 1, at: 1 } }, mute("all", 3, 1)), mute("all", 3, 1)],
            ["null", both(null, undefined), {}],
            ["a clock set back", muted(mute("all", null, 100), "all", 0, 7), mute("all", 0, 101)],
            ["of an earlier version", ofList(["critical", "sleep", 7]), mute("critical", null, 0)],
            ["the first opened leads", first([{ id: "b", since: 1, can: true }, { id: "a", since: 2, can: true }]).id, "b"],
            ["opened at one time", first([{ id: "b", since: 1, can: true }, { id: "a", since: 1, can: true }]).id, "a"],
            ["one that may not sound", first([{ id: "b", since: 1, can: false }, { id: "a", since: 2, can: true }]).id, "a"],
            ["none may", first([{ id: "b", since: 1, can: false }]), null],
        ];
        return rows.filter(([, found, expected]) => JSON.stringify(found) !== JSON.stringify(expected));
    }""")
    assert wrong == []


async def test_a_first_sounds_and_a_repeat_does_not_unless_chosen(browser: Browser, service: InProcess) -> None:
    await service.post()
    page = await listening(browser, service)
    await service.post()  # goes on: it was there when the page was opened
    await service.post(
        {"timestamp": (dt.datetime.now(dt.UTC) - dt.timedelta(hours=2)).isoformat(), "worker_id": "late"}
    )
    await service.post({"timestamp": "2025-03-15T12:00:00Z", "worker_id": "old"}, params={"import": "true"})
    await listed(page, 3)
    await service.post({"worker_id": "w9"})
    await heard(page, "critical")
    await page.wait_for_timeout(PAUSE_MS)
    await service.post({"worker_id": "w9"})
    await listed(page, 5)
    await service.post(INFO)
    await heard(page, "critical", "info")
    await page.get_by_text("Settings").click()
    await page.get_by_label("Sound for every error").check()
    await page.wait_for_timeout(PAUSE_MS)
    await service.post({"worker_id": "w9"})
    await heard(page, "critical", "info", "critical")


async def test_a_surge_and_the_recovery_sound_once(browser: Browser, service: InProcess, verdicts: Verdicts) -> None:
    verdicts.say("critical", "critical")
    page = await listening(browser, service)
    await expect(page.locator("#verdict")).to_have_text("▲ critical.")
    verdicts.say("calm", "calm")
    await heard(page, "recovered")
    verdicts.say("calm", "calm")
    verdicts.say("surge", "warning")
    await heard(page, "recovered", "warning")
    verdicts.say("surge", "unknown", "warning")
    await expect(page.locator("#headline")).to_have_attribute("data-colour", "unknown")
    await page.locator("#pause").check()
    verdicts.say("calm", "calm")  # a pause stops the page, not the sound
    await heard(page, "recovered", "warning", "recovered")
    await page.get_by_text("Settings").click()
    await page.get_by_label("recovery", exact=True).check()
    verdicts.say("recovering", "warning")
    verdicts.say("calm", "calm")
    await page.wait_for_timeout(PAUSE_MS)
    await heard(page, "recovered", "warning", "recovered")


async def test_notifications_follow_the_events(browser: Browser, service: InProcess, verdicts: Verdicts) -> None:
    page = await browser.new_page()
    await page.add_init_script(
        "window.told = []; localStorage.setItem('error-visualization.notifications', 'true');"
        "window.Notification = class { static permission = 'granted'; constructor(title) { window.told.push(title); } }"
    )
    await page.goto(str(service.client.make_url("/error-visualization")))
    await expect(page.locator("#connection")).to_have_attribute("data-state", "live")
    await page.evaluate("Object.defineProperty(document, 'hidden', {value: true, configurable: true})")
    await service.post()
    await page.wait_for_function("() => window.told.length > 0")
    await page.wait_for_timeout(PAUSE_MS)
    await service.post()  # a repeat
    await expect(page).to_have_title("(2) Errors")
    for rule, colour in (("critical", "critical"), ("calm", "calm"), ("surge", "warning")):
        verdicts.say(rule, colour)
        await expect(page.locator("#verdict")).to_contain_text(f"{rule}.")
    await page.wait_for_function("() => window.told.length > 2")
    assert await page.evaluate("window.told") == ["Critical: ResourceError on worker-1", "Calm again", "Warnings surge"]


async def test_a_mute_has_an_end(browser: Browser, service: InProcess) -> None:
    page = await (await browser.new_context()).new_page()
    await page.clock.install()
    await page.goto(str(service.client.make_url("/error-visualization")))
    await expect(page.locator("#connection")).to_have_attribute("data-state", "live")
    mute = page.locator("#mute")
    await page.get_by_text("Settings").click()
    seen = await page.get_by_label("Mute with an end").evaluate("e => [e.offsetWidth, getComputedStyle(e).color]")
    assert seen[0] > 100
    assert seen[1] != "rgba(0, 0, 0, 0)"  # its words can be read
    await page.get_by_label("Mute with an end").select_option(label="for 15 min")
    ends = await page.evaluate(
        "new Date(Date.now() + 900_000).toLocaleTimeString([], {hour: '2-digit', minute: '2-digit', hourCycle: 'h23'})"
    )
    await expect(mute).to_contain_text("Muted until")
    assert (await mute.text_content() or "")[-5:-2] == ends[:3]
    await expect(page.locator("#polite")).to_contain_text("Sound is muted until")
    await service.post()
    await listed(page, 1)
    await page.clock.run_for(11_000)
    await expect(page.locator("#polite")).to_contain_text("Sound is muted until")  # no announcement of the error
    await expect(page.locator("#assertive")).to_be_empty()
    await page.clock.fast_forward(900_000)
    await expect(mute).to_have_text("Mute")
    await service.post({"worker_id": "w9"})
    await expect(page.locator("#assertive")).to_contain_text("Critical error on w9")
    await page.get_by_label("Mute with an end").select_option(label="until I turn it on")
    await expect(mute).to_have_text("Muted")
    await page.clock.fast_forward("48:00:00")
    await expect(mute).to_have_text("Muted")
    await mute.click()
    await expect(mute).to_have_text("Mute")


async def test_what_came_while_muted_sounds_when_it_goes_on(browser: Browser, service: InProcess) -> None:
    page = await listening(browser, service)
    await page.locator("#mute").click()
    await service.post()
    await listed(page, 1)
    await page.locator("#mute").click()
    await page.locator("h1").hover()
    await service.post()
    await heard(page, "critical")
    await page.wait_for_timeout(PAUSE_MS)
    await service.post()
    await listed(page, 3)
    assert await page.evaluate("window.heard") == ["critical"]


async def test_a_sound_that_waits_its_turn_is_muted_too(browser: Browser, service: InProcess) -> None:
    page = await browser.new_page()
    await page.add_init_script(LISTEN)
    await page.goto(str(service.client.make_url("/error-visualization")))
    await expect(page.locator("#connection")).to_have_attribute("data-state", "live")
    async with page.expect_request("**/sounds/error-system-critical.mp3"):  # all are fetched before they are needed
        await page.locator("#sound-on").click()
    await service.post()
    await heard(page, "critical")
    await service.post({"worker_id": "w9"})
    await listed(page, 2)
    await page.locator("#mute").click()
    await page.wait_for_timeout(PAUSE_MS)
    assert await page.evaluate("window.heard") == ["critical"]


async def test_tabs_share_mutes_and_one_of_them_sounds(browser: Browser, service: InProcess) -> None:
    context = await browser.new_context()
    one = await listening(context, service)
    other = await context.new_page()
    await other.add_init_script(LISTEN)
    await other.goto(str(service.client.make_url("/error-visualization")))
    await expect(other.locator("#sound-tab")).to_have_text("Another tab of this browser makes the sounds.")
    await expect(other.locator("#sound-on")).to_be_hidden()
    await other.locator("h1").click()
    await other.evaluate("document.querySelector('#test-info').click()")
    await other.wait_for_function("() => window.heard.length === 1")  # a test sounds where it was asked for
    await service.post()
    await heard(one, "critical")
    await other.wait_for_timeout(PAUSE_MS)
    assert await other.evaluate("window.heard") == ["info"]
    # A tab does not undo the mute of another, even if it has not heard of it.
    await one.evaluate("document.querySelector('[data-mute=warning]').click()")
    await other.evaluate("document.querySelector('[data-mute=info]').click()")
    for page in (one, other):
        for name in ("warning", "info"):
            await expect(page.locator(f"[data-mute={name}]")).to_be_checked()
    await other.evaluate("""() => {
        localStorage.setItem("error-visualization.mutes", JSON.stringify({ critical: { until: null, at: 5 } }));
    }""")
    await expect(one.locator("[data-mute=critical]")).to_be_checked()
    await one.wait_for_function(
        "() => JSON.parse(localStorage.getItem('error-visualization.mutes')).info?.until === null"
    )
    await one.evaluate("document.querySelector('[data-mute=critical]').click()")
    await expect(other.locator("[data-mute=critical]")).not_to_be_checked()
    await one.close()
    await expect(other.locator("#sound-tab")).to_be_empty()
    await service.post({"worker_id": "w9"})
    await heard(other, "info", "critical")
    await context.close()


async def test_a_leader_that_is_gone_without_a_word_is_replaced(browser: Browser, service: InProcess) -> None:
    page = await listening(browser, service)
    await page.evaluate("""() => {
        new BroadcastChannel("error-visualization.sound").postMessage({ kind: "here", id: "0", since: 0, can: true });
    }""")
    await expect(page.locator("#sound-tab")).to_have_text("Another tab of this browser makes the sounds.")
    await service.post()
    await heard(page, "critical")
    await expect(page.locator("#sound-tab")).to_be_empty()


async def test_every_sound_can_be_tested_and_a_broken_file_is_replaced(
    browser: Browser, serve: Any, tmp_path: Any
) -> None:
    (tmp_path / "error-critical.mp3").write_bytes(b"no sound")
    service = await serve(sounds_dir=str(tmp_path))
    page = await listening(browser, service)
    await service.post()
    await heard(page, "notification")
    fault = "error-critical.mp3 is broken; error-notification.mp3 sounds instead."
    await expect(page.locator("#notice")).to_have_text(fault)
    await page.get_by_text("Settings").click()
    await expect(page.locator("#sound-problems li")).to_have_text([fault])
    names = ["system-critical", "warning", "info", "recovered", "notification"]
    for number, name in enumerate(names, 2):
        await page.locator(f"#test-{name}").click()
        await page.wait_for_function("n => window.heard.length === n", arg=number)
    assert await page.evaluate("window.heard") == ["notification", *names]
    await page.reload()
    (tmp_path / "error-notification.mp3").write_bytes(b"no sound either")
    await page.get_by_text("Settings").click()
    await page.locator("#test-critical").click()
    await heard(page, "tone")
    await expect(page.locator("#sound-problems li")).to_have_count(2)
    (tmp_path / "error-critical.mp3").unlink()
    await page.locator("#test-critical").click()
    await heard(page, "tone", "critical")
    await expect(page.locator("#sound-problems li")).to_have_count(1)


async def test_nothing_is_announced_while_paused(
    browser: Browser, service: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "bundled", lambda text, _: text)  # the page's own announce.js is asked, not another
    page, _ = await open_page(browser, service)
    await page.locator("#pause").check()
    await service.post()
    await expect(page.locator("#news")).to_have_text("1 new error")
    await page.evaluate("import('/static/announce.js').then(({ interrupt }) => interrupt('Connection lost'))")
    await expect(page.locator("#assertive")).to_be_empty()
    await page.locator("#pause").uncheck()
    await service.post({"worker_id": "w9"})
    await expect(page.locator("#assertive")).to_contain_text("Critical error on w9")
