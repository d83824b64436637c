"""What errors are to Alertmanager: which alerts, how many, for how long, and with which words."""

import datetime as dt
import json
from typing import Any

import pytest
from events import event as made

from exporter.alerting.alerts import MAX_ALERTS, MAX_WORKERS, OTHER, Alert, Alerts, Push
from exporter.events.event import ErrorEvent

pytestmark = pytest.mark.dashboard
NOW = dt.datetime(2026, 11, 24, 12, tzinfo=dt.UTC)
PUSH = Push(resend_seconds=60, hold_seconds=600, page_url="http://here:8080", runbook_url="http://docs")


def event(number: int = 1, **fields: Any) -> ErrorEvent:
    return made(number, **({"timestamp": NOW, "received_at": NOW, "fingerprint": "f"} | fields))


def labels(alert: Alert) -> dict[str, str]:
    return alert.as_json(NOW)["labels"]


def annotations(alert: Alert) -> dict[str, str]:
    return alert.as_json(NOW)["annotations"]


@pytest.mark.parametrize(
    ("push", "error", "name"),
    [
        (Push(), {"severity": "critical"}, "CriticalError"),
        (Push(), {"severity": "warning"}, None),
        (Push(), {"severity": "info", "is_new_pattern": True}, None),
        (Push(critical=False), {"severity": "critical"}, None),
        (Push(critical=False), {"severity": "critical", "is_system_critical": True}, "CriticalError"),
        (Push(critical=False, system_critical=False), {"severity": "critical", "is_system_critical": True}, None),
        (Push(new_patterns=True), {"severity": "info", "is_new_pattern": True}, "NewErrorPattern"),
        (Push(new_patterns=True), {"severity": "info"}, None),
        (Push(new_patterns=True), {"severity": "critical", "is_new_pattern": True}, "CriticalError"),
    ],
)
def test_what_is_pushed(push: Push, error: dict[str, Any], name: str | None) -> None:
    new = Alerts(push).on_events([event(**error)], 0.0)
    assert [labels(alert)["alertname"] for alert in new] == ([name] if name else [])


def test_an_alert_as_alertmanager_takes_it() -> None:
    (alert,) = Alerts(PUSH).on_events([event(17, traceback="in f\nError: m", is_system_critical=True)], 0.0)
    assert alert.as_json(NOW + dt.timedelta(minutes=4)) == {
        "labels": {"alertname": "CriticalError", "severity": "critical", "source": "push", "category": "C", "type": "T",
                   "worker": "w", "fingerprint": "f", "system_critical": "true"},
        "annotations": {"summary": "C in w: m", "message": "m", "traceback": "in f\nError: m", "worker": "w",
                        "time": "2026-11-24T12:00:00.000Z", "reasons": "because", "error_id": "17", "error_fingerprint": "f", "count": "1",
                        "permalink": "http://here:8080/error-visualization?error=17",
                        "runbook_url": "http://docs/CriticalError.md"},
        "startsAt": "2026-11-24T12:00:00.000Z", "endsAt": "2026-11-24T12:04:00.000Z",
        "generatorURL": "http://here:8080/error-visualization?error=17",
    }  # fmt: skip
    ended = alert.as_json(NOW - dt.timedelta(hours=1))  # the clock was set back since it started
    assert ended["startsAt"] == ended["endsAt"] == "2026-11-24T11:00:00.000Z"


def test_repeats_on_a_worker_are_one_alert_with_a_count_that_is_told_when_it_doubles() -> None:
    alerts = Alerts(PUSH)
    (alert,) = alerts.on_events([event(1)], 0.0)
    told = []
    for number in range(2, 1001):
        assert alerts.on_events([event(number)], 0.001 * number) == []
        due = alerts.due(0.001 * number * 2_000)  # a clock that leaves time for each update
        if due:
            told.append(int(annotations(due[0])["count"]))
            assert annotations(due[0])["error_id"] in (str(number), annotations(alert)["error_id"])
    assert len(alerts) == 1
    assert annotations(alert)["count"] == "1000"
    assert {2, 4, 8, 16, 32, 64, 128, 256, 512} <= set(told)


def test_it_is_sent_again_while_it_holds_and_ends_after() -> None:
    alerts = Alerts(PUSH)
    alerts.on_events([event()], 0.0)
    assert alerts.due(59.0) == []
    assert len(alerts.due(60.0)) == 1
    assert alerts.due(61.0) == []
    alerts.on_events([event()], 100.0)
    assert alerts.end(699.0) == []
    (ended,) = alerts.end(700.0)
    assert labels(ended)["worker"] == "w"
    assert len(alerts) == 0
    assert len(alerts.on_events([event()], 701.0)) == 1  # a new one


def test_other_workers_and_patterns_are_other_alerts() -> None:
    events = [event(), event(worker_id="x"), event(fingerprint="g"), event(type="U"), event()]
    assert len(Alerts(PUSH).on_events(events, 0.0)) == 4


def test_a_pattern_on_many_workers_is_folded() -> None:
    alerts = Alerts(PUSH)
    new = alerts.on_events([event(worker_id=f"w{n}") for n in range(500)], 0.0)
    assert len(new) == MAX_WORKERS + 1
    folded = new[-1]
    assert (labels(folded)["worker"], annotations(folded)["count"]) == (OTHER, str(500 - MAX_WORKERS))
    for alert in alerts.end(1000.0):
        assert alert.last == 0.0
    assert len(alerts.on_events([event(worker_id="w499")], 1001.0)) == 1
    assert labels(alerts.due(2000.0)[0])["worker"] == "w499"  # there is room again


def test_alerts_are_bounded_whatever_comes() -> None:
    alerts = Alerts(PUSH)
    for n in range(3 * MAX_ALERTS):
        alerts.on_events([event(worker_id=f"w{n}", fingerprint=f"f{n}", type=f"t{n}", category=f"c{n}")], 0.0)
    assert len(alerts) == MAX_ALERTS + 1
    assert len(alerts.end(601.0)) == MAX_ALERTS + 1


def test_texts_are_bounded_and_without_control_characters() -> None:
    bad = "a\r\nb\x00\x1b[31m" + "x" * 100_000
    (alert,) = Alerts(PUSH).on_events(
        [event(message=bad, worker_id=bad, type=bad, category=bad, traceback="T" * 50_000 + "the end", reasons=(bad,))],
        0.0,
    )
    sent = alert.as_json(NOW)
    assert len(json.dumps(sent)) < 60_000
    for text in (*sent["labels"].values(), sent["annotations"]["summary"], sent["annotations"]["worker"]):
        assert len(text) <= 200
        assert text.isprintable()
    assert sent["annotations"]["message"].startswith("a\nb\ufffd\ufffd[31mx")
    assert sent["annotations"]["traceback"].endswith("the end")


def test_errors_of_one_family_are_one_alert() -> None:
    alerts = Alerts(PUSH)
    (alert,) = alerts.on_events(
        [event(1, fingerprint="a", pattern_id="F"), event(2, fingerprint="b", pattern_id="F")], 0.0
    )
    assert labels(alert)["fingerprint"] == "F"
    assert annotations(alert)["error_fingerprint"] == "b"
    (alone,) = alerts.on_events([event(3, fingerprint="c", pattern_id="")], 0.0)  # of a log from before pattern ids
    assert labels(alone)["fingerprint"] == "c"
