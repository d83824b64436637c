"""What the table of workers and the chart say of rows that the service does not send."""

import pytest
from javascript import BROWSER, results

pytestmark = pytest.mark.html


def test_the_button_says_how_many_workers_there_are() -> None:
    found = results(
        "workers_table.js", "its.words(...value)", [[1234, 1234], [1000, 1001], [1000, 12345]], before=BROWSER
    )
    assert [one["show"] for one in found] == [
        "Show all 1,234 workers", "Show the first 1,000 of 1,001 workers", "Show the first 1,000 of 12,345 workers",
    ]  # fmt: skip
    assert [one["rest"] for one in found] == [
        "", "1 more worker is not in this table; filter to see it.",
        "11,345 more workers are not in this table; filter to see them.",
    ]  # fmt: skip


def test_the_chart_marks_new_patterns_beyond_the_most_frequent_ones() -> None:
    day = "2026-11-26T"
    new = [
        {"pattern_id": f"p{n}", "pattern": f"text {n}", "first_seen": f"{day}12:{n:02}:00Z"} for n in range(20, 0, -1)
    ]
    overview = {
        "range": {"from": f"{day}12:00:00Z", "to": f"{day}13:00:00Z"}, "new_patterns": {"total": 27, "patterns": new},
        "worker_errors": {"worker_stats": [{"worker_id": "w", "silent_since": f"{day}12:30:00Z"}]},
        "restarts": [], "silences": [],
    }  # fmt: skip
    call = "its.marks(value, (name, id) => `?${name}=${id}`)"
    (found,) = results(
        "chart_marks.js",
        call,
        [
            overview,
        ],
        before=BROWSER,
    )
    assert [one["href"] for one in found] == [f"?pattern=p{n}" for n in range(1, 21)] + ["?worker=w"]
    assert found[0]["text"] == "new pattern: text 1 (7 more new patterns before that)"
    assert [one["text"] for one in found[19:]] == ["new pattern: text 20", "worker w is silent since then"]
