"""Counts of refused reports: exact, bounded, and not lost when they cannot be stored."""

import datetime as dt
import json
from collections import Counter
from typing import Any

import pytest
from events import event

from exporter.ingest import refused
from exporter.ingest.flood_reports import CATEGORY, EVERY_SECONDS, QUIET_SECONDS, flood_report, is_due
from exporter.ingest.parse import parse_report
from exporter.ingest.refused import Flood, Refused, RefusedReports
from exporter.patterns.fingerprint import fingerprint

pytestmark = pytest.mark.severity
AT = dt.datetime(2026, 3, 15, 12, tzinfo=dt.UTC)


def add(counts: RefusedReports, worker: str = "w", pattern: str = "p", *, key: str | None = None, now: float = 1.0,
        sample: str = "{}", limit: str = "worker") -> None:  # fmt: skip
    one = Refused(worker, None if key is None else (worker, key), f"f-{pattern}", pattern, AT, limit)
    if not counts.knows(one.key):
        counts.add(one, now, lambda: sample)


def everything(counts: RefusedReports) -> list[Flood]:
    return counts.take(lambda _: True)


def by_pattern(floods: list[Flood]) -> Counter[tuple[str, str]]:
    found: Counter[tuple[str, str]] = Counter()
    for flood in floods:
        found[flood.worker, "other"] += flood.other
        for one in flood.patterns.values():
            found[flood.worker, one.pattern] += one.refused
        assert sum(one.refused for one in flood.patterns.values()) + flood.other == flood.refused
    return +found


def test_exact_by_worker_and_pattern() -> None:
    counts = RefusedReports()
    sent: Counter[tuple[str, str]] = Counter()
    for number in range(3_000):
        worker, pattern = f"w{number % 3}", f"p{number % 7}"
        sent[worker, pattern] += 1
        add(counts, worker, pattern, now=number)
    assert by_pattern(everything(counts)) == sent
    assert counts.counted == {"w0": 1_000, "w1": 1_000, "w2": 1_000}
    assert everything(counts) == []


def test_a_repeat_of_a_refused_report_is_counted_once() -> None:
    counts = RefusedReports()
    for _ in range(5):
        add(counts, key="e1")
        add(counts, key="e2")
        add(counts)  # without an id, each is another one
    (flood,) = everything(counts)
    assert flood.refused == counts.counted["w"] == 7


def test_what_is_accepted_later_is_said() -> None:
    counts = RefusedReports()
    for number in range(10):
        add(counts, key=f"e{number}")
    counts.stored([event(number, worker_id="w") for number in (3, 4, 4, 77)], 2.0)
    (flood,) = everything(counts)
    assert (flood.refused, flood.accepted_later) == (10, 2)
    counts.stored([event(5, worker_id="w"), event(5, worker_id="v")], 3.0)
    (flood,) = everything(counts)
    assert (flood.refused, flood.accepted_later) == (0, 1)


def test_samples_are_the_first_and_a_late_one(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = RefusedReports()
    for number in range(1, 101):
        add(counts, sample=f"[{number}]")
    (flood,) = everything(counts)
    assert flood.patterns["f-p"].samples == ["[1]", "[64]"]
    monkeypatch.setattr(refused, "MAX_SAMPLE_BYTES", 1_000)
    for number in range(100):
        add(counts, pattern=f"p{number % 40}", sample="x" * 99)
    floods = everything(counts)
    assert 0 < sum(len(text) for one in floods[0].patterns.values() for text in one.samples) <= 1_000
    add(counts, sample="x" * 999)  # the bytes of what was taken are free again
    (flood,) = everything(counts)
    assert flood.patterns["f-p"].samples == ["x" * 999]


def test_bounded_but_nothing_uncounted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refused, "MAX_FLOODS", 5)
    monkeypatch.setattr(refused, "MAX_FLOOD_PATTERNS", 3)
    monkeypatch.setattr(refused, "MAX_REMEMBERED", 10)
    folded = RefusedReports(lambda worker: worker if worker in ("w0", "w1") else "other")
    for number in range(1_000):
        add(folded, f"w{number % 20}", f"p{number // 20 % 10}", key=str(number))
    assert len(folded._remembered) <= 10
    assert folded.counted == {"w0": 50, "w1": 50, "other": 900}
    floods = everything(folded)
    assert {flood.worker for flood in floods} == {"w0", "w1", "w2", "w3", "w4", "other"}
    assert all(len(flood.patterns) <= 3 for flood in floods)
    assert sum(flood.refused for flood in floods) == by_pattern(floods).total() == 1_000


def test_counts_that_were_not_stored_are_put_back() -> None:
    counts = RefusedReports()
    for number in range(100):
        add(counts, pattern=f"p{number % 3}", limit="token" if number % 2 else "worker", now=1.0)
    (first,) = everything(counts)
    for number in range(50):
        add(counts, pattern=f"p{number % 5}", now=9.0)
    counts.put_back(first)
    (flood,) = everything(counts)
    assert (flood.refused, flood.by_token, flood.since, flood.until) == (150, 50, 1.0, 9.0)
    assert by_pattern([flood]) == Counter(
        [("w", f"p{number % 3}") for number in range(100)] + [("w", f"p{number % 5}") for number in range(50)]
    )
    counts.put_back(flood)
    assert everything(counts) == [flood]


def test_when_a_flood_is_reported() -> None:
    flood = Flood("w", AT, AT, since=100.0, until=155.0)
    assert not is_due(flood, 159.9)
    assert is_due(flood, 100.0 + EVERY_SECONDS)
    assert not is_due(Flood("w", AT, AT, 100.0, 101.0), 101.0 + QUIET_SECONDS - 0.1)
    assert is_due(Flood("w", AT, AT, 100.0, 101.0), 101.0 + QUIET_SECONDS)


def reported(**fields: Any) -> dict[str, Any]:
    return flood_report(Flood("gpu-7", AT, AT + dt.timedelta(seconds=59), 1.0, 60.0, **fields), 200.0, 50.0)


def test_the_report_about_a_flood() -> None:
    counts = RefusedReports()
    for number in range(10):
        add(counts, "gpu-7", f"p{number % 2 * number % 3}", sample='{"message":"m"}')
    (flood,) = everything(counts)
    report = json.loads(
        json.dumps(reported(refused=10, patterns=flood.patterns), default=lambda raw: json.loads(bytes(raw)))
    )
    assert report["rate_limited"] | {"patterns": None} == {
        "refused": 10, "refused_by_token_limit": 0, "accepted_later": 0, "from": "2026-03-15T12:00:00.000Z",
        "to": "2026-03-15T12:00:59.000Z", "patterns": None, "other": 0,
    }  # fmt: skip
    listed = report["rate_limited"]["patterns"]
    assert [one["refused"] for one in listed] == sorted((one["refused"] for one in listed), reverse=True)
    assert listed[0]["samples"] == [{"message": "m"}] * 2
    read, _, dropped = parse_report(json.dumps(report).encode())
    assert (read.worker_id, read.error_category, dropped) == ("gpu-7", CATEGORY, ())
    assert "10 reports were refused within 59 s, above the limit of 200/s" in report["message"]


def test_every_report_about_a_flood_has_one_pattern() -> None:
    messages = [
        reported(refused=refused_, accepted_later=later, by_token=by_token)["message"]
        for refused_ in (0, 1, 12, 123_456, 12_345_678)
        for later in (0, 1, 4_321)
        for by_token in (0, refused_)
    ]
    assert "above the limit of 50/s" in messages[-1]
    assert len({fingerprint("RateLimited", message, None).fingerprint for message in messages}) == 1
