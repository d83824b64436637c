"""Alerts of resolved patterns: they end, stay quiet about the past, and come back under a new label, once."""

import datetime as dt
from typing import Any

import pytest
from events import event as made

from exporter.alerting.alert import Alert, Push
from exporter.alerting.alerts import Alerts
from exporter.alerting.standings import Standings, ended_before
from exporter.events.event import ErrorEvent
from exporter.store.states import PatternState, StateChange, StatesChanged

pytestmark = pytest.mark.dashboard
AT = dt.datetime(2026, 11, 27, 4)
RECEIVED = AT.replace(tzinfo=dt.UTC) + dt.timedelta(seconds=1)
PUSH = Push(hold_seconds=600)


def event(seconds: float = 1.0, number: int = 1, **fields: Any) -> ErrorEvent:
    at = AT.replace(tzinfo=dt.UTC) + dt.timedelta(seconds=seconds)
    return made(number, **({"timestamp": at, "received_at": at, "fingerprint": "f", "severity": "critical"} | fields))


def change(status: Any, number: int = 1, regressions: int = 0, **fields: Any) -> StateChange:
    state = PatternState(
        status=status, by="Ana", at="", until=None, errors_left=None, silence_id=None, silence_error=None
    )
    given: dict[str, Any] = {"anchor": "f", "pattern_id": "f", "names": ("f",), "until": None, "error_id": None}
    return StateChange(number=number, state=state, at=AT, regressions=regressions, **(given | fields))


def standings(*changes: StateChange) -> Standings:
    one = Standings()
    one.apply(StatesChanged(list(changes), []))
    return one


def labels(alerts: list[Alert]) -> list[str]:
    return [alert.labels.regression for alert in alerts]


@pytest.mark.parametrize(
    ("state", "error", "made_alerts"),
    [
        (change("resolved"), event(), ["1"]),
        (change("resolved", regressions=4), event(), ["5"]),
        (change("resolved"), event(-1), []),  # from before the resolution
        (change("resolved"), event(1 - 3_600, received_at=RECEIVED, clock_offset=-3_600), ["1"]),
        (change("resolved"), event(imported=True), []),
        (change("resolved", names=("g", "f")), event(), ["1"]),
        (change("resolved", names=("g",)), event(), [""]),
        (change("resolved", names=("g",)), event(pattern_id="g"), ["1"]),
        (change("regressed", regressions=1), event(), ["1"]),
        (change("claimed"), event(), [""]),
        (change("muted"), event(), [""]),
        (change("claimed", regressions=2), event(), ["2"]),
        (change("resolved"), event(severity="warning"), []),
    ],
)
def test_which_alert_an_error_makes(state: StateChange, error: ErrorEvent, made_alerts: list[str]) -> None:
    assert labels(Alerts(PUSH, standings(state)).on_events([error], 0.0)) == made_alerts


def test_what_comes_back_is_news_as_a_new_pattern_is() -> None:
    alerts = Alerts(Push(new_patterns=True), standings(change("resolved")))
    (alert,) = alerts.on_events([event(severity="info")], 0.0)
    assert (alert.labels.alertname, alert.labels.regression) == ("NewErrorPattern", "1")
    assert alert.annotations["summary"].startswith("Came back: ")


def test_a_resolution_ends_the_alerts_of_this_pattern_alone() -> None:
    alerts = Alerts(PUSH)
    alerts.on_events([event(), event(number=2, fingerprint="g"), event(number=3, worker_id="w2")], 0.0)
    ended = alerts.resolve({"f"}, ended_before(change("resolved")), "Ana", 1.0)
    assert {alert.labels.fingerprint for alert in ended} == {"f"}
    assert len(ended) == 2
    assert ended[0].annotations["quiet"] == "Resolved by Ana. If it comes back, there is a new alert."
    assert {alert.labels.fingerprint for alert in alerts} == {"g"}
    assert alerts.end(1e6), "what is left still ends by itself"
    assert not alerts.resolve({"f"}, 1, "Ana", 2.0)


def test_a_repeated_message_of_the_resolution_does_not_end_what_came_back() -> None:
    known = standings(change("resolved"))
    alerts = Alerts(PUSH, known)
    alerts.on_events([event()], 0.0)
    assert not alerts.resolve({"f"}, ended_before(change("resolved")), "Ana", 1.0)
    assert known.told == {"f": 1}
    known.apply(StatesChanged([change("regressed", 2, 1)], []))
    assert labels(alerts.on_events([event(2, 2)], 2.0)) == [], "one alert, whoever said it first"
    assert labels(list(alerts)) == ["1"]
    known.apply(StatesChanged([change("resolved", 3, 1)], []))
    assert labels(alerts.resolve({"f"}, ended_before(change("resolved", 3, 1)), "Ana", 3.0)) == ["1"]
    assert labels(alerts.on_events([event(3, 3)], 4.0)) == ["2"]


def test_the_state_that_was_made_last_counts() -> None:
    known = standings(change("resolved", 5), change("claimed", 3, anchor="g", names=("f", "g")))
    assert known.of(event()).regression == "1"
    known.apply(StatesChanged([], [], gone=["f"]))
    assert known.of(event()).regression == ""
    known.apply(StatesChanged([], [], complete=True))
    assert known.of(event(-1)).alerts


@pytest.mark.parametrize("complete", [False, True])
def test_a_split_that_moves_a_state_tells_no_regression_again(complete: bool) -> None:
    known = standings(change("regressed", 5, 2, anchor="f", names=("f", "g")))
    known.told["f"] = 2
    moved = StatesChanged([change("regressed", 5, 2, anchor="g", names=("g",))], [], ["f"], complete)
    assert known.apply(moved)
    assert known.told == {"g": 2}


def test_only_differences_are_new() -> None:
    known = standings(change("muted"))
    assert known.apply(StatesChanged([change("muted")], [], complete=True)) == []
    assert [one.anchor for one in known.muted()] == ["f"]
    assert known.apply(StatesChanged([change("open", 2)], [])) == [change("open", 2)]
    assert known.muted() == []
