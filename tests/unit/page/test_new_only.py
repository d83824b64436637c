"""Which rows *New only* shows while its requests overtake each other, and what it announces: exporter/page/new_patterns.js."""

from typing import Any

import pytest
from javascript import STOPPED, results

pytestmark = pytest.mark.html
# `asked` has the requests, each of which waits for `answer(name)`.
PAGE = (
    STOPPED
    + """
const said = [], asked = [];
document.getElementById = () => ({ set textContent(text) { said.push(text); } });
globalThis.fetch = (path) => new Promise((resolve) => {
    const row = (name) => ({ pattern_id: name, ever_first_seen: "2026-11-27T00:00:00Z" });
    asked.push((...names) => resolve({ ok: true, status: 200, json: async () => ({ data: { patterns: names.map(row), next_cursor: null } }) }));
});
globalThis.begun = (its) => {
    const state = { range: 24, filters: {} };
    const draw = () => one.rows([], 0).map((row) => row.pattern_id);
    const one = new its.NewPatterns(state, () => (one.on ? draw().length : 0));
    const filtered = (worker) => { state.filters = { worker: [worker] }; draw(); };
    return { one, draw, filtered, asked, said, rest: () => new Promise((resolve) => setTimeout(resolve, 5)) };
};
"""
)


@pytest.mark.parametrize(("steps", "rows", "requests", "said"), [
    ("asked[0]('a', 'b')", ["a", "b"], 1, ["2 new patterns"]),
    # An answer that takes long: the next request begins after it.
    ("later(30000); draw(); later(30000); draw(); asked[0]('a')", ["a"], 2, ["1 new pattern"]),
    # Away from a filter and back: only the last answer counts, in whatever order they arrive.
    ("filtered('w'); filtered('v'); filtered('w'); asked[3]('new'); await rest(); asked[1]('old')", ["new"], 4, []),
    ("one.toggle(); one.toggle(); asked[1]('new'); await rest(); asked[0]('old')", ["new"], 2, ["1 new pattern"]),
    # The page says itself how many errors match other filters.
    ("asked[0]('a'); await rest(); filtered('w'); asked[1]('b', 'c')", ["b", "c"], 2, ["1 new pattern"]),
    ("asked[0]('a'); await rest(); later(30000); draw(); asked[1]('b', 'c')", ["b", "c"], 2, ["1 new pattern"]),
])  # fmt: skip
def test_only_the_last_answer_counts_and_is_said_once(
    steps: str, rows: list[str], requests: int, said: list[str]
) -> None:
    call = (
        "(async () => { const { one, draw, filtered, asked, said, rest } = globalThis.begun(its), later = globalThis.later;"
        f" one.toggle(); await rest(); {steps}; await rest(); return [draw(), asked.length, said]; }})()"
    )
    found: list[Any] = results("new_patterns.js", call, [None], before=PAGE)
    assert found == [[rows, requests, said]]
