"""Which state is shown while requests and messages of the topic `states` overtake each other: exporter/page/state_news.js."""

from typing import Any

import pytest
from javascript import STOPPED, results

pytestmark = pytest.mark.html
# `look()` waits in `looks` until its answer is given.
NEWS = (
    STOPPED
    + """
globalThis.begun = (its) => {
    its.bind({ onChange() {}, onUnsure() {} });
    const place = { isConnected: true }, taken = [], looks = [];
    const look = () => new Promise((resolve) => looks.push(resolve));
    const said = (version, by, pattern_id = 'p') => its.take({ version, changes: [{ version, pattern_id, state: { by } }] });
    const watch = (since) => its.watch('pattern:p', place, { since, look, take: ({ by }) => taken.push(by) });
    return { place, taken, looks, look, said, watch, rest: () => new Promise((resolve) => setTimeout(resolve)) };
};
"""
)


def ran(steps: str) -> Any:
    """What `taken` and the number of looks are after the statements `steps`."""
    names = "place, taken, looks, look, said, watch, rest"
    call = f"(async () => {{ const {{ {names} }} = globalThis.begun(its), later = globalThis.later; {steps}; await rest(); return [taken, looks.length]; }})()"
    (found,) = results("state_news.js", call, [None], before=NEWS)
    return found


@pytest.mark.parametrize(("steps", "taken", "looks"), [
    # A view is fetched from 1,000 on: what changed before is in the answer, what changed since is taken.
    ("its.take({ version: 1, changes: [] }); later(1000); later(5); said(2, 'Ana'); later(9000); watch(1000)", ["Ana"], 0),
    ("its.take({ version: 1, changes: [] }); later(1000); later(5); said(2, 'Ana'); said(3, 'Bo'); watch(1000)", ["Bo"], 0),
    ("its.take({ version: 1, changes: [] }); said(2, 'Ana'); later(1000); watch(1000)", [], 0),
    ("its.take({ version: 1, changes: [] }); later(1005); said(2, 'Ana', 'other'); watch(1000)", [], 0),
    # Changes were missed during the request, or nobody knows whether the first message is older than the answer.
    ("its.take({ version: 1, changes: [] }); later(1005); said(9, 'Ana'); watch(1000)", [], 1),
    ("later(1005); said(1, 'Ana'); watch(1000)", [], 1),
    ("later(1005); its.take({ version: 0, changes: [] }); watch(1000)", [], 0),
    ("later(990); said(1, 'Ana'); later(10); watch(1000)", [], 0),
])  # fmt: skip
def test_a_change_during_the_request_of_a_view_is_not_lost(steps: str, taken: list[str], looks: int) -> None:
    assert ran(steps) == [taken, looks]


BOTH = "its.take({ version: 1, changes: [] }); const answered = watch(0), asked = Promise.withResolvers(), done = answered(asked.promise, (state) => taken.push(state.by));"


@pytest.mark.parametrize(("steps", "taken"), [
    ("asked.resolve({ by: 'Ana' })", ["Ana"]),
    ("said(2, 'Bo'); asked.resolve({ by: 'Ana' })", ["Bo"]),  # the answer is older
    ("its.again(); looks[0]({ by: 'Bo' }); await rest()", ["Bo"]),
    ("its.again(); said(2, 'Cy'); looks[0]({ by: 'Bo' })", ["Cy"]),
    ("its.again(); its.again(); looks[1]({ by: 'Cy' }); await rest(); looks[0]({ by: 'Bo' })", ["Cy"]),
    ("place.isConnected = false; watch(0); said(2, 'Bo')", []),
])  # fmt: skip
def test_an_answer_that_was_overtaken_is_dropped(steps: str, taken: list[str]) -> None:
    assert ran(f"{BOTH} {steps}")[0] == taken


NOTES = "its.take({ version: 1, changes: [] }); its.watch('pattern:p', place, { since: 0, look, take() {}, noted: (number) => taken.push(number) });"


@pytest.mark.parametrize(("steps", "taken"), [
    ("its.take({ version: 2, changes: [{ version: 2, pattern_id: 'p', state: {}, note: 7 }] })", [7]),
    ("its.take({ version: 2, changes: [{ version: 2, pattern_id: 'other', state: {}, note: 7 }] }); said(3, 'Ana')", []),
    ("its.again(); looks[0]({})", [None]),  # there may be notes that were missed
    ("its.again(); said(2, 'Cy'); looks[0]({})", [None]),
])  # fmt: skip
def test_a_note_is_told_and_missed_ones_are_looked_for(steps: str, taken: list[int | None]) -> None:
    assert ran(f"{NOTES} {steps}")[0] == taken


def test_a_view_that_was_closed_is_forgotten_by_the_next_one() -> None:
    """Without any message."""
    (size,) = results(
        "state_news.js",
        "(() => { const { watch, place } = globalThis.begun(its); place.isConnected = false; for (let i = 0; i < 50; i++) watch(0); return globalThis.most; })()",
        [None],
        before=NEWS
        + "globalThis.most = 0; Set = class extends Set { add(it) { super.add(it); if (it.look) globalThis.most = Math.max(globalThis.most, this.size); return this; } };",
    )
    assert size == 1
