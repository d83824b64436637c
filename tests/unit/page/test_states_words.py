"""The states of patterns and drained workers in words, and which changes of them are new: exporter/page/states.js."""

import json
from typing import Any

import pytest
from javascript import results

pytestmark = pytest.mark.html
NOW = "2026-11-27T13:30:00Z"
WORDS = (
    f"((list) => list.map((part) => typeof part === 'string' ? part : part.name ?? (part.error ? `error ${{part.error}}` : "
    f"its.atMoment(part.at, Date.parse('{NOW}'), part.on))).join(''))"
)


def state(status: str, **more: Any) -> dict[str, Any]:
    nothing = {"by": None, "at": None, "until": None, "errors_left": None, "silence_id": None, "silence_error": None}
    return {"status": status} | nothing | more


AT = {"by": "Ana", "at": "2026-11-27T14:02:00Z"}
SAID = [
    (state("new"), "◆ New: first seen within the last 24 hours", ""),
    (state("open"), "○ Open", ""),
    (state("open", **AT), "○ Reopened by Ana at 14:02", ""),
    (state("claimed", **AT), "● Claimed by Ana since 14:02", "● claimed"),
    (state("claimed", by="Ana", at="2026-11-26T14:02:00Z"), "● Claimed by Ana since 26 Nov, 14:02", "● claimed"),
    (state("resolved", **AT), "✓ Resolved by Ana at 14:02", "✓ resolved"),
    (state("resolved", by="Ana", at="2025-11-26T14:02:00Z"), "✓ Resolved by Ana on 26 Nov 2025, 14:02", "✓ resolved"),
    (state("muted", **AT, until="2026-11-27T18:00:00Z"), "‖ Muted until 18:00, by Ana", "‖ muted"),
    (state("muted", **AT, errors_left=40), "‖ Muted for 40 more errors, by Ana", "‖ muted"),
    (state("muted", **AT, errors_left=1), "‖ Muted for 1 more error, by Ana", "‖ muted"),
    (state("muted", **AT, until="2026-11-28T09:00:00Z", errors_left=0), "‖ Muted until 28 Nov, 09:00 or for 0 more errors, by Ana", "‖ muted"),
    (state("regressed", **AT), "↺ Came back at 14:02: regression of what Ana had resolved", "↺ came back"),
]  # fmt: skip


def test_a_state_is_said_in_words() -> None:
    states = [one for one, *_ in SAID]
    assert results("states.js", f"{WORDS}(its.said(value))", states) == [words for _, words, _ in SAID]
    assert results("states.js", "its.short(value)", states) == [short for *_, short in SAID]
    assert results("states.js", "its.short(value)", [None, {"status": "constructor"}]) == ["", ""]


def test_a_drain_is_said_in_words() -> None:
    values = [None, AT | {"until": None}, AT | {"until": "2026-11-28T09:00:00Z"}]
    words = ["", "⊘ Drained by Ana since 14:02, without an end", "⊘ Drained by Ana until 28 Nov, 09:00"]
    assert results("states.js", f"{WORDS}(its.saidDrained(value))", values) == words


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"silence_id": "a"}, "Its alerts are silenced in Alertmanager."),
        ({}, "There is no silence in Alertmanager."),
        ({"silence_error": "it is away"}, "There is no silence in Alertmanager: it is away"),
        ({"silence_id": "a", "silence_error": "no"}, "A silence in Alertmanager exists, but: no"),
    ],
)
def test_whether_there_is_a_silence_is_said_of_muted_patterns_only(more: dict[str, Any], words: str) -> None:
    assert results("states.js", "its.silence(value)", [state("muted", **more), state("open", **more)]) == [words, ""]


def test_the_audit_is_said_in_words() -> None:
    nothing = {"by": None, "caller": None, "until": None, "errors": None, "error_id": None}
    rows = [
        ({"action": "claim", "by": "Ana", "caller": "Ana"}, "Claimed by Ana"), ({"action": "note", "by": "Ana"}, "Note by Ana"),
        ({"action": "resolve", "by": "Ana", "caller": "token"}, "Resolved by Ana (sent by token)"),
        ({"action": "mute", "by": "Ana", "errors": 9}, "Muted by Ana for 9 errors"),
        ({"action": "mute", "by": "Ana", "until": "2026-11-27T18:00:00Z", "errors": 1}, "Muted by Ana until 18:00 or for 1 error"),
        ({"action": "regressed", "error_id": 7}, "Came back: error 7"), ({"action": "unmuted"}, "The mute ended"),
        ({"action": "drain", "by": "Bo", "until": "2026-11-27T18:00:00Z"}, "Drained by Bo until 18:00"),
        ({"action": "undrain", "by": "Bo"}, "Undrained by Bo"), ({"action": "drain_ended"}, "The drain ended"),
        ({"action": "else", "by": "Bo"}, "else by Bo"),
    ]  # fmt: skip
    assert results("states.js", f"{WORDS}(its.told(value))", [nothing | row for row, _ in rows]) == [
        words for _, words in rows
    ]


def test_only_what_makes_sense_is_offered() -> None:
    values = ["new", "open", "claimed", "resolved", "muted", "regressed"]
    call = "['Ana', 'Bo'].map((name) => its.fitting({ status: value, by: 'Ana' }, name).join(' '))"
    fresh, all_ = "claim resolve mute", "claim resolve mute reopen"
    assert results("states.js", call, values) == [
        [fresh] * 2, [fresh] * 2, ["resolve mute reopen", all_], ["claim reopen"] * 2, [all_] * 2, [all_] * 2
    ]  # fmt: skip


def test_tomorrow_is_a_day_of_the_readers_calendar() -> None:
    """On the 25th, clocks in Berlin go back: from 02:30 to 09:00 on that day are 7.5 hours."""
    at = ["2026-10-24T20:00:00Z", "2026-10-24T23:30:00Z"]  # 22:00 on the 24th, 01:30 on the 25th
    call = "its.ends(Date.parse(value)).map(([, , ms]) => new Date(ms).toISOString().slice(8, 16))"
    assert results("states.js", call, at, zone="Europe/Berlin") == [
        ["24T21:00", "25T04:00", "25T08:00"], ["25T00:30", "25T07:30", "26T08:00"]
    ]  # fmt: skip


@pytest.mark.parametrize("module", ["states.js", "mutes.js"])
@pytest.mark.parametrize(("locale", "clock"), [("en-GB", "0{}:00"), ("en-US", "{}:00 AM"), ("de-DE", "0{}:00")])
def test_tomorrow_is_said_by_the_readers_clock(module: str, locale: str, clock: str) -> None:
    call = "its.ends(Date.parse(value)).map(([, words]) => words.replace(/\\s/g, ' ')).filter((words) => /tomorrow|today/.test(words))"
    said = clock.format(9 if module == "states.js" else 8)
    days = ["tomorrow"] if module == "states.js" else ["today", "tomorrow"]
    assert results(module, call, [NOW[:11] + "03:30:00Z"], locale=locale) == [[f"until {day} {said}" for day in days]]


@pytest.mark.parametrize(("chosen", "asked"), [
    ("open", {}), ("errors", {"errors": 40}), ("hour", {"until": "2026-11-28T00:30:00.000Z"}),
    ("tomorrow", {"until": "2026-11-28T09:00:00.000Z"}),  # as the form said, not as of the new day
    ("until", {"until": "2026-11-30T10:00:00.000Z"}),
])  # fmt: skip
def test_the_end_that_was_chosen(chosen: str, asked: dict[str, Any]) -> None:
    given = "{ opened: Date.parse('2026-11-27T23:30Z'), now: Date.parse('2026-11-27T23:30Z'), until: '2026-11-30T10:00', errors: '40' }"
    assert results("states.js", f"its.chosenEnd(value, {given})", [chosen]) == [asked]
    later = given.replace("now: Date.parse('2026-11-27T23:30Z')", "now: Date.parse('2026-11-28T00:10Z')")
    if chosen != "hour":
        assert results("states.js", f"its.chosenEnd(value, {later})", [chosen]) == [asked]


def test_an_end_that_cannot_be_read_is_not_left_out() -> None:
    call = "its.chosenEnd('until', { opened: 0, now: 0, until: value, errors: '' })"
    assert results("states.js", call, ["12026-11-27T10:00"]) == [{"until": "12026-11-27T10:00"}]


def test_what_the_audit_lacks_is_no_news() -> None:
    before = state("muted", **AT, errors_left=40)
    values = [before, before | {"errors_left": 39}, before | {"silence_id": "a", "silence_error": "no"}, before | {"by": "Bo"},
              before | {"at": NOW}, state("regressed", **AT), None]  # fmt: skip
    call = f"its.isNews({json.dumps(before)}, value)"
    assert results("states.js", call, values) == [False, False, False, True, True, True, True]
    assert results("states.js", "its.isNews(null, value)", [None, AT | {"until": None}]) == [False, True]


def test_a_time_that_cannot_be_read_is_a_question_mark() -> None:
    assert results("dates.js", "its.full(value)", ["", "27.11.2026 14:00:00 Uhr"]) == ["?", "?"]


def test_missed_changes_are_noticed() -> None:
    def message(version: int, *changes: int) -> dict[str, Any]:
        return {"version": version, "changes": [{"version": one} for one in changes]}

    values = [(5, message(5, 4, 5)), (5, message(7, 5, 6, 7)), (5, message(9, 7, 8, 9)), (5, message(6, 4, 5)), (5, message(2, 1, 2))]  # fmt: skip
    call = "((it) => [it.changes.map(({ version }) => version), it.missed])(its.fresh(...value))"
    assert results("states.js", call, values) == [
        [[], False], [[6, 7], False], [[7, 8, 9], True], [[], True], [[], True]
    ]  # fmt: skip
