"""Parts of the page that need no browser: texts of errors, measurements, spans in words, what is counted, clock, list, data."""

from typing import Any

import pytest
from javascript import BROWSER, results

pytestmark = pytest.mark.html
LIST = BROWSER + (
    "globalThis.document.getElementById = () => ({ children: [], dataset: {}, style: {}, toggleAttribute() {}, textContent: '' });"
)


def test_a_text_with_very_many_backticks_is_fenced() -> None:
    (length,) = results("error_text.js", "its.asMarkdown({ ...value, message: '`a'.repeat(300_000) }, 'u').length", [
        {"severity": "info", "type": "t", "worker_id": "w", "reasons": []}])  # fmt: skip
    assert length > 600_000
    assert results("error_text.js", "its.issueAddress('', value, 'u')", [{}]) == [""]
    fenced = results("error_text.js", "its.asMarkdown(value, 'u')", [
        {"severity": "info", "type": "a`b", "worker_id": "w", "reasons": [], "message": "````"}])  # fmt: skip
    assert "`` a`b `` on `w`\n\n`````\n````\n`````" in fenced[0]


@pytest.mark.parametrize(("metrics", "texts"), [
    (None, []), ("text", []), ([1], []), ({"cpu": "text", "disk": [1]}, []),
    ({"odd": {"a": {"toString": 1}, "b": [1, {"c": None}], "d": None, "e": 1.239, "f": True}},
     ['{"toString":1}', '[1,{"c":null}]', "", 1.24, True]),
])  # fmt: skip
def test_measurements_may_be_anything(metrics: Any, texts: list[Any]) -> None:
    (found,) = results("metrics.js", "its.measurements(value)", [metrics])
    assert [row["text"] for row in found["rows"]] == texts
    assert not found["cut"]


def test_measurements_and_devices_without_end_are_cut() -> None:
    (found,) = results("metrics.js", "its.measurements(value)", [{"odd": {str(number): 1 for number in range(1000)}}])
    assert (len(found["rows"]), found["cut"]) == (200, True)
    assert results("metrics.js", "its.structs(value)", ["text", None, [None, 1, [2], {"a": 1}]]) == [[], [], [{"a": 1}]]


@pytest.mark.parametrize("hours", [24, 24.5, 25, 26, 600, 624, 720, 1440])
def test_the_same_hours_of_before_never_overlap(hours: float) -> None:
    now = 1_795_000_000_000
    (found,) = results("span_steps.js", f"its.compared(value, 'yesterday', {now})", [
        {"range": hours, "from": None, "to": None}])  # fmt: skip
    assert found["end"] <= now - hours * 3_600_000
    assert (now - found["end"]) % 86_400_000 == 0


def test_words_that_stay_name_their_day() -> None:
    span = {"range": 24, "from": "2026-11-26T22:00:00Z", "to": "2026-11-26T23:30:00Z"}
    at = "globalThis.Date = class extends Date { static now() { return Date.parse('2026-11-26T23:50:00Z'); } constructor(...of) { super(...of.length ? of : [Date.now()]); } };"
    words = results(
        "span.js",
        "its.inWords(value, true)",
        [span, {**span, "to": None}, {**span, "from": None, "to": None}],
        before=at,
    )
    assert words[0] == "from Thu 26 Nov, 22:00 to 23:30"
    assert words[1:] == ["since Thu 26 Nov, 22:00", "in the last 24 h"]
    (across,) = results("span.js", "its.inWords(value, true)", [{**span, "to": "2026-11-27T01:00:00Z"}], before=at)
    assert across == "from Thu 26 Nov, 22:00 to Fri 27 Nov, 01:00"
    assert results("span.js", "its.inWords(value)", [span], before=at) == ["from 22:00 to 23:30"]


def test_a_moment_after_now_is_not_counted_from() -> None:
    state = {"range": 6, "from": None, "to": None}
    call = "its.within(value[0], value[1], Date.parse('2026-11-26T12:00:00Z')).from"
    moments = ["2026-11-26T12:02:00Z", "2026-11-26T12:00:01Z", "2026-11-26T07:00:00Z", "2026-11-26T05:59:00Z", None]
    found = results("counted.js", call, [[state, at] for at in moments], before=BROWSER)
    assert found == [None, moments[1], moments[2], None, None]


def test_the_clock_does_not_go_back_for_a_late_answer() -> None:
    still = "const real = Date.now(); Date.now = () => real; performance.now = () => real"
    call = "(its.set(new Date(Date.now() + value[0]).toISOString(), value[1]), its.now() - Date.now())"
    steps = [[5000, 100], [4000, 2000], [5050, 100], [4000, 500], [9000, 0]]  # late; faster; set back; set on
    assert results("clock.js", call, steps, before=still) == [5000, 5000, 5050, 4000, 9000]


def test_formatters_are_made_once() -> None:
    counting = "globalThis.made = 0; Intl.DateTimeFormat = class extends Intl.DateTimeFormat { constructor(...of) { super(...of); globalThis.made += 1; } }"
    calls = "(its.inWords(value), its.exact(value), its.short(value), globalThis.made)"
    span = {"range": 24, "from": "2020-11-26T22:00:00Z", "to": "2020-11-27T23:30:00Z"}
    made = results("span.js", calls, [span] * 50, before=counting)
    assert made[-1] == made[0] > 0


def test_new_errors_beyond_the_most_are_reached_by_older_errors() -> None:
    """Paused with an empty list: of 1,050 new errors 1,000 are kept, and the others are behind "Older errors"."""
    call = """(() => {
        const list = new its.List({ state: { range: 24, from: null, to: null, filters: {} }, open() {}, names: {}, still: () => true });
        list.draw = list.drawSoon = () => {};
        const at = new Date().toISOString();
        list.hear(Array.from({ length: value }, (_, i) => ({ id: i, cursor: `c${i}`, timestamp: at })));
        list.takeWaiting();
        return [list.errors.length, list.cursor, list.dropped];
    })()"""
    assert results("list.js", call, [1050, 1000], before=LIST) == [[1000, "c50", False], [1000, None, False]]


def test_errors_that_were_dropped_under_other_filters_are_forgotten() -> None:
    """Otherwise a deep search without a row would begin again, and a complete one would not say that nothing matches."""
    call = """(async () => {
        const list = new its.List({ state: { range: 24, from: null, to: null, filters: {} }, open() {}, names: {}, still: () => true });
        list.draw = list.drawSoon = () => {};
        const at = new Date().toISOString();
        list.hear(Array.from({ length: 1050 }, (_, i) => ({ id: i, cursor: `c${i}`, timestamp: at })));
        const had = list.dropped;
        list.state.filters = { worker: ["w1"] };
        list.ask = async () => ({ errors: [], ...value });
        await list.fetch();
        return [had, list.cursor, list.searched];
    })()"""
    answers = [
        {"next_cursor": None, "searched_since": None},
        {"next_cursor": "deep", "searched_since": "2026-11-27T10:00:00Z"},
    ]
    assert results("list.js", call, answers, before=LIST) == [
        [True, None, None],
        [True, "deep", "2026-11-27T10:00:00Z"],
    ]


DATA = (
    BROWSER
    + """
globalThis.answers = [];
globalThis.fetch = (path) => new Promise((resolve) => globalThis.answers.push((seq) => resolve({ ok: true, json: async () => (
    { data: { seq, path, timestamp: new Date().toISOString() } }) })));
globalThis.document.getElementById = () => ({ dataset: {}, toggleAttribute() {}, replaceChildren() {} });
globalThis.make = (its, more) => { const drawn = []; return [drawn, new its.Data({ state: { range: 24, from: null, to: null, filters: {}, wall: true },
    draw: (data) => drawn.push(data.seq), news() {}, done() {}, failed() {}, refused: () => false, paused: () => false, heard: () => 0, ...more })]; };
"""
)


def test_an_earlier_answer_is_not_drawn_over_a_later_one() -> None:
    call = """(async () => {
        const [drawn, data] = globalThis.make(its, { list: {} });
        const asked = [data.overview(0), data.overview(0)];
        globalThis.answers[value[0]](value[0] + 1); await asked[value[0]];
        globalThis.answers[value[1]](value[1] + 1); await asked[value[1]];
        globalThis.answers.length = 0;
        return drawn;
    })()"""
    for order, drawn in (([0, 1], [1, 2]), ([1, 0], [2])):
        assert results("data.js", call, [order], before=DATA) == [drawn]


def test_a_list_of_another_span_is_fetched_by_the_next_refresh() -> None:
    """The span changes by itself when the moment from which the reader counts leaves it."""
    call = """(async () => {
        let fetched = 0;
        const list = { current: value, settle() {}, fetch: async () => { fetched += 1; list.current = true; } };
        const [, data] = globalThis.make(its, { list });
        const run = data.run();
        globalThis.answers.shift()(1);
        await run;
        return fetched;
    })()"""
    for current in (True, False):
        assert results("data.js", call, [current], before=DATA) == [0 if current else 1]
