"""The rows of the history in a view while others are added: exporter/page/audit.js."""

from typing import Any

import pytest
from javascript import BROWSER, results

pytestmark = pytest.mark.html
# A document with elements that only have children, and an audit trail with `count` entries, whose cursors are numbers.
PAGE = (
    BROWSER
    + """
globalThis.Node = class {
    children = []; dataset = {}; hidden = false;
    setAttribute(name, value) { if (name.startsWith("data-")) this.dataset[name.slice(5)] = String(value); }
    get childElementCount() { return this.children.length; }
    append(...added) { this.children.push(...added); for (const one of added) if (one instanceof Node) one.place = this; }
    prepend(...added) { this.children.unshift(...added); for (const one of added) if (one instanceof Node) one.place = this; }
    replaceChildren(...added) { this.children = []; this.append(...added); }
    remove() { this.place.children = this.place.children.filter((one) => one !== this); }
    contains(other) { return this === other || this.children.some((one) => one instanceof Node && one.contains(other)); }
    focus() { document.activeElement = this; }
    closest() { return null; }
};
document.createElement = () => new Node();
let count = 0;
globalThis.fetch = async (path) => {
    const from = Number(new URLSearchParams(path.split("?")[1]).get("cursor") ?? count);
    const entries = Array.from({ length: Math.min(10, from) }, (_, i) => ({ number: from - i, at: "2026-11-27T00:00:00Z", action: "resolve", by: "Ana" }));
    return { ok: true, status: 200, json: async () => ({ data: { entries, next_cursor: from > 10 ? String(from - 10) : null } }) };
};
globalThis.begun = ({ history }) => {
    const { place, load } = history({ pattern: "p" }, String), list = () => place.children[0].children[1], more = () => place.children[0].children[2];
    const add = async (some, times = 1) => { for (let i = 0; i < times; i++) { count += some; await load(); } };
    const older = async (times = 1) => { for (let i = 0; i < times; i++) await more().onclick(); };
    const shown = () => list().children.map((row) => Number(row.dataset.number));
    return { add, older, shown, list, more };
};
"""
)


@pytest.mark.parametrize(("steps", "first", "rows", "more"), [
    ("await add(3); await add(1)", 4, 4, False),
    ("await add(3); await add(1, 300)", 303, 100, True),  # one that flaps
    ("await add(3); await add(7, 90)", 633, 94, True),  # where a page ended
    ("await add(3); await add(1, 300); await older(3)", 303, 130, True),  # what was dropped is fetched again
    ("await add(500); await older(20); await add(1, 50)", 550, 210, True),  # the reader wants so many
    ("await add(30); await older(2)", 30, 30, False),
])  # fmt: skip
def test_a_history_that_grows_is_cut(steps: str, first: int, rows: int, more: bool) -> None:
    call = (
        "(async () => { const { add, older, shown, list, more } = globalThis.begun(its);"
        f" {steps}; return [shown(), !more().hidden]; }})()"
    )
    found: list[Any] = results("audit.js", call, [None], before=PAGE)
    assert found == [[list(range(first, first - rows, -1)), more]]


def test_the_focus_stays_in_a_history_that_is_cut() -> None:
    call = (
        "(async () => { const { add, list } = globalThis.begun(its); await add(3); await add(1, 97);"
        " document.activeElement = list().children.at(-1); await add(1, 1); return document.activeElement === list(); })()"
    )
    assert results("audit.js", call, [None], before=PAGE) == [True]
