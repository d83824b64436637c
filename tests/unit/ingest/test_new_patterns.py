"""The limit of new patterns: which errors count under the common pattern of a worker, and the event that says so."""

import datetime as dt
import json
from typing import Any

import pytest

from exporter.events.event import ErrorEvent
from exporter.ingest import new_patterns
from exporter.ingest.new_patterns import HOUR, TEXT, TYPE, NewPatterns
from exporter.ingest.past import Past
from exporter.ingest.pipeline import Batch, Pipeline, Submission
from exporter.ingest.severity import Thresholds

pytestmark = pytest.mark.severity
AT = dt.datetime(2026, 3, 15, 12, tzinfo=dt.UTC)
WORDS = [f"{a}{b}{c}" for a in "bdfgk" for b in "aeiou" for c in ("lim", "nor", "pet", "sud")]


def pipeline(limit: int) -> Pipeline:
    return Pipeline(Past(), thresholds=Thresholds(), zone=dt.UTC, max_new_patterns=limit)


def send(one: Pipeline, messages: list[str], worker: str = "w", *, importing: bool = False) -> list[ErrorEvent]:
    """Returns the events of a batch."""
    batch = Batch()
    for message in messages:
        body = json.dumps({"worker_id": worker, "type": "T", "message": message}).encode()
        assert isinstance(one.prepare(Submission(body, AT, None, importing), batch), ErrorEvent)
    return batch.events


def told(events: list[ErrorEvent]) -> list[Any]:
    return [json.loads(one.body)["too_many_patterns"] for one in events if one.type == TYPE]


def test_above_the_limit_errors_count_as_one_pattern_and_one_event_says_so() -> None:
    one = pipeline(10)
    events = send(one, WORDS)
    own = [event for event in events if event.type == "T"]
    assert len(own) == len(WORDS)  # every error is stored
    assert [event.message for event in own] == WORDS
    assert len({event.fingerprint for event in own[:10]}) == 10
    assert {event.pattern for event in own[10:]} == {TEXT}
    assert len({event.fingerprint for event in own[10:]}) == 1
    assert [event.is_new_pattern for event in own[10:13]] == [True, False, False]
    assert [event.is_new_fingerprint for event in own[10:13]] == [True, False, False]
    assert told(events) == [{"limit": 10, "type": "T", "pattern_id": own[10].pattern_id}]
    assert told(send(one, WORDS)) == []  # those above the limit still are
    (notice,) = [event for event in events if event.type == TYPE]
    assert (notice.worker_id, notice.severity, notice.category) == ("w", "warning", new_patterns.CATEGORY)


def test_known_patterns_and_other_workers_are_not_concerned() -> None:
    one = pipeline(10)
    known = send(one, WORDS[:10])
    send(one, WORDS[10:])
    assert [event.fingerprint for event in send(one, WORDS[:10])] == [event.fingerprint for event in known]
    others = send(one, WORDS[20:30], "other")
    assert all(event.is_new_pattern and event.pattern != TEXT for event in others)
    assert told(send(one, WORDS[30:40], "other")) != told(send(one, WORDS[40:50], "third"))


def test_an_import_is_not_limited() -> None:
    events = send(pipeline(10), WORDS, importing=True)
    assert len({event.fingerprint for event in events}) == len(events) == len(WORDS)


def test_no_limit() -> None:
    assert TEXT not in {event.pattern for event in send(pipeline(0), WORDS)}


def test_a_failed_append_undoes_the_counts_and_the_event() -> None:
    one = pipeline(10)
    one.failed(send(one, WORDS[:30]), Batch())
    events = send(one, WORDS[:30])
    assert len({event.fingerprint for event in events if event.type == "T"}) == 11
    assert len(told(events)) == 1


def test_the_next_hour_begins_anew() -> None:
    now = [0.0]
    counts = NewPatterns(5, lambda: now[0])
    assert [counts.add("w") for _ in range(7)] == [1, 2, 3, 4, 5, 6, 7]
    now[0] = HOUR - 1
    assert counts.add("w") == 8
    now[0] = HOUR
    assert counts.add("w") == 1


def test_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(new_patterns, "MAX_WORKERS", 10)
    counts = NewPatterns(5)
    for number in range(100):
        counts.add(f"w{number}")
    assert len(counts._hours) == 10
