"""What errors are to Alertmanager: which alerts, how many, for how long, and with which words."""

import datetime as dt
import json
import re
import urllib.parse
from typing import Any

import msgspec
import pytest
from conftest import ROOT
from events import event as made

from exporter.alerting import alerts as module
from exporter.alerting.alert import Alert, Push
from exporter.alerting.alerts import MAX_FIRING, OTHER, SPREAD, Alerts, Kept
from exporter.events.event import ErrorEvent

pytestmark = pytest.mark.dashboard
NOW = dt.datetime(2026, 11, 24, 12, tzinfo=dt.UTC)
PUSH = Push(
    resend_seconds=60, hold_seconds=600, page_url="http://here:8080", runbook_url="http://docs", runbook_suffix=".md"
)


def event(number: int = 1, **fields: Any) -> ErrorEvent:
    return made(number, **({"timestamp": NOW, "received_at": NOW, "fingerprint": "f"} | fields))


def storm(workers: int, each: int = 1, **fields: Any) -> list[ErrorEvent]:
    """Errors of `workers` workers in turn, `each` of every one."""
    return [event(n + 1, worker_id=f"w{n % workers}", **fields) for n in range(workers * each)]


def labels(alert: Alert) -> dict[str, str]:
    return alert.as_json(NOW, NOW, {})["labels"]


def steps(alerts: list[Alert]) -> list[str]:
    """Each alert by how many workers it says the pattern has; "" for the first error."""
    return [alert.labels.min_workers for alert in alerts]


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
    assert alert.as_json(NOW, NOW + dt.timedelta(minutes=4), {"service": "s", "cluster": "eu"}) == {
        "labels": {"alertname": "CriticalError", "severity": "critical", "source": "push", "category": "C", "type": "T",
                   "worker": "w", "fingerprint": "f", "system_critical": "true", "incident": "f", "urgency": "page",
                   "service": "s", "cluster": "eu"},
        "annotations": {"summary": "C in w: m", "message": "m", "traceback": "in f\nError: m",
                        "traceback_end": "in f\nError: m", "worker": "w", "where": "w", "workers": "1",
                        "time": "2026-11-24T12:00:00.000Z", "last_time": "2026-11-24T12:00:00.000Z",
                        "reasons": "because", "error_id": "17", "error_fingerprint": "f", "count": "1",
                        "permalink": "http://here:8080/error-visualization?error=17",
                        "pattern_link": "http://here:8080/error-visualization?pattern=f",
                        "runbook_url": "http://docs/CriticalError.md"},
        "startsAt": "2026-11-24T12:00:00.000Z", "endsAt": "2026-11-24T12:04:00.000Z",
        "generatorURL": "http://here:8080/error-visualization?error=17",
    }  # fmt: skip
    ended = alert.as_json(NOW, NOW - dt.timedelta(hours=1), {})  # the clock was set back since it started
    assert ended["startsAt"] == ended["endsAt"] == "2026-11-24T11:00:00.000Z"


def test_repeats_on_a_worker_make_no_alert_and_their_number_is_sent_when_it_doubles() -> None:
    alerts = Alerts(PUSH)
    (alert,) = alerts.on_events([event(1)], 0.0)
    told = []
    for number in range(2, 1001):
        assert alerts.on_events([event(number)], 2.0 * number) == []
        told += [int(due.annotations["count"]) for due in alerts.due(2.0 * number) if due.annotations["count"] != "1"]
    assert len(alerts) == 1
    assert {2, 4, 8, 16, 32} <= set(told)
    assert len(told) < 50
    assert alert.annotations["error_id"] == "1"  # still about the first error


def test_a_pattern_that_spreads_has_an_alert_at_each_step_and_the_true_number_of_workers() -> None:
    alerts = Alerts(PUSH)
    new = alerts.on_events(storm(300, 3), 0.0)
    assert steps(new) == ["", "2", "4", "8", "16", "32", "64", "128", "256"]
    assert {(alert.annotations["workers"], alert.annotations["count"]) for alert in new} == {("300", "900")}
    assert [labels(alert)["urgency"] for alert in new] == ["ticket"] * 3 + ["page"] * 6
    assert labels(new[0])["worker"] == "w0"
    assert not any("worker" in labels(alert) for alert in new[1:])  # a silence of w0 does not hide them
    assert new[0].annotations["worker_list"] == "w0, w1, w2, w3, w4, w5, w6, w7, w8, w9 and 290 more"
    assert not any("news" in alert.annotations for alert in new)  # all came with the first


def test_a_later_step_says_what_is_new() -> None:
    alerts = Alerts(PUSH)
    alerts.on_events(storm(2), 0.0)
    alerts.on_events(storm(7), 60.0)
    first, *between, latest = alerts.on_events(storm(20), 120.0)
    assert steps(between) == ["2", "4", "8"]
    assert not any("news" in alert.annotations for alert in between)
    assert first.annotations["news"] == latest.annotations["news"]  # one of the two may be silenced
    assert latest.annotations["news"] == (
        "Now on 20 workers, 7 before. New: w7, w8, w9, w10, w11, w12, w13, w14, w15, w16 and 3 more."
    )
    assert "traceback" not in latest.annotations
    assert alerts.on_events(storm(31), 180.0) == []
    assert alerts.due(181.0)[-1].annotations["news"].startswith("Now on 31 workers, 7 before.")  # no step, no alert


def test_one_alert_is_sent_again_while_it_holds_and_ends_after() -> None:
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


def test_all_alerts_of_a_pattern_end_together_when_it_is_quiet_everywhere() -> None:
    alerts = Alerts(PUSH)
    alerts.on_events(storm(20), 0.0)
    alerts.on_events([event(900, worker_id="w3")], 500.0)
    assert alerts.end(1_099.0) == []
    ended = alerts.end(1_100.0)
    assert steps(ended) == ["", "2", "4", "8", "16"]
    said = [alert.annotations.get("quiet") for alert in ended]
    assert said[1:4] == [None] * 3
    assert said[0] == said[4]  # one of the two may be silenced
    assert said[0].startswith("Quiet for 10 min after 21 errors on 20 workers. Without any report since: w0, w1,")
    assert alerts._incident_of == alerts._heard == {}


@pytest.mark.parametrize(
    ("workers", "later", "words"),
    [
        (1, [], "Quiet for 10 min after 1 error on w0. It has reported nothing since."),
        (1, ["w0"], "Quiet for 10 min after 1 error on w0. Other reports came from it since."),
        (3, ["w1"], "Quiet for 10 min after 3 errors on 3 workers. Without any report since: w0, w2."),
        (2, ["w1", "w0"], "Quiet for 10 min after 2 errors on 2 workers. Other reports came from all of them since."),
    ],
)
def test_who_has_been_silent_since(workers: int, later: list[str], words: str) -> None:
    alerts = Alerts(PUSH)
    alerts.on_events(storm(workers), 0.0)
    alerts.on_events([event(50 + n, worker_id=name, severity="info") for n, name in enumerate(later)], 5.0)
    assert alerts.end(600.0)[-1].annotations["quiet"] == words


def test_a_new_pattern_is_not_called_quiet_for_only_its_first_error_is_counted() -> None:
    alerts = Alerts(Push(new_patterns=True))
    alerts.on_events([event(1, severity="info", is_new_pattern=True)], 0.0)
    alerts.on_events([event(2, severity="info")], 599.0)
    (ended,) = alerts.end(600.0)
    assert ended.annotations["quiet"].startswith("New 10 min ago. Later errors of this pattern make no message;")


def test_an_error_of_another_pattern_of_the_incident_is_no_sign_of_life() -> None:
    alerts = Alerts(PUSH)
    alerts.on_events([event(1), event(2, fingerprint="g"), event(3, worker_id="x")], 0.0)
    first, *_ = alerts.end(600.0)
    assert first.annotations["quiet"].endswith("on 2 workers. Without any report since: w, x.")


def test_patterns_of_one_cause_are_one_incident() -> None:
    alerts = Alerts(PUSH)
    (first,) = alerts.on_events([event(1, worker_id="a", fingerprint="A")], 0.0)
    (soon,) = alerts.on_events([event(2, worker_id="b", fingerprint="B")], 29.0)
    (other,) = alerts.on_events([event(3, worker_id="c", fingerprint="C")], 31.0)
    (there,) = alerts.on_events([event(4, worker_id="b", fingerprint="D")], 300.0)
    (late,) = alerts.on_events([event(5, worker_id="a", fingerprint="E")], 601.0)
    assert [labels(alert)["incident"] for alert in (first, soon, other, there, late)] == ["A", "A", "C", "A", "E"]
    assert [alert.labels.fingerprint for alert in alerts.end(899.0)] == ["C"]
    assert [alert.labels.fingerprint for alert in alerts.end(900.0)] == [
        "A",
        "B",
        "D",
    ]  # together, though A is long quiet


def test_a_pattern_waits_at_most_an_hour_for_others_of_its_incident() -> None:
    """Or an error of a pattern that was quiet for days would be no news, because another pattern goes on."""
    alerts = Alerts(PUSH)
    alerts.on_events([event(1, fingerprint="A"), event(2, fingerprint="B")], 0.0)
    ended = []
    for minute in range(0, 120, 5):
        alerts.on_events([event(3 + minute, fingerprint="A")], 60.0 * minute)
        ended += [(minute, alert.labels.fingerprint) for alert in alerts.end(60.0 * minute)]
    assert ended == [(60, "B")]
    (again,) = alerts.on_events([event(500, fingerprint="B")], 7_200.0)
    assert again.labels.fingerprint == "B"
    assert len(alerts.end(7_800.0)) == 2
    assert alerts._incidents == {}


def test_system_critical_errors_and_many_workers_page_and_a_flaky_one_is_a_ticket() -> None:
    alerts = Alerts(PUSH)
    (flaky,) = alerts.on_events([event()], 0.0)
    (system,) = alerts.on_events([event(is_system_critical=True)], 0.0)
    (new,) = Alerts(Push(new_patterns=True)).on_events([event(severity="info", is_new_pattern=True)], 0.0)
    assert [labels(alert)["urgency"] for alert in (flaky, system, new)] == ["ticket", "page", "ticket"]


def test_a_storm_of_881_reports_makes_few_alerts() -> None:
    """Ten minutes, twenty workers, three patterns: the alerts of which Alertmanager makes messages."""
    alerts = Alerts(PUSH)
    for n in range(881):
        fields = {"worker_id": f"w{min(n // 40, 19) if n % 3 else n % 20}", "fingerprint": "ABC"[n % 3]}
        alerts.on_events([event(n + 1, **fields)], n * 600 / 881)
        alerts.due(n * 600 / 881)
    assert len(alerts) == 15
    ended = alerts.end(1_300.0)
    assert {labels(alert)["incident"] for alert in ended} == {"A"}
    assert sum(int(alert.annotations["count"]) for alert in ended if not alert.labels.min_workers) == 881


def test_alerts_are_bounded_whatever_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_WORKERS", 1_000)
    alerts = Alerts(PUSH)
    for n in range(3 * MAX_FIRING):
        alerts.on_events([event(worker_id=f"w{n}", fingerprint=f"f{n}", type=f"t{n}", category=f"c{n}")], float(n))
    folded = [pattern for pattern in alerts._patterns.values() if pattern.key.fingerprint == OTHER]
    assert len(alerts._patterns) == MAX_FIRING + 1
    assert folded[0].count == 2 * MAX_FIRING
    assert alerts._workers == sum(len(pattern.workers) for pattern in alerts._patterns.values()) == 1_000
    assert len(alerts.end(1e6)) <= MAX_FIRING + len(SPREAD) + 1
    assert alerts._workers == len(alerts) == len(alerts._incidents) == 0


def test_texts_are_bounded_and_without_control_characters() -> None:
    bad = "a\r\nb\x00\x1b[31m\u202e\u2028" + "x" * 100_000
    alerts = Alerts(PUSH)
    fields = {"message": bad, "type": bad, "category": bad, "traceback": "T" * 50_000 + "the end", "reasons": (bad,)}
    run = dict.fromkeys(RUN, bad[:256])
    alerts.on_events([event(worker_id=f"{n}{bad}", **fields, **run) for n in range(8)], 0.0)
    for alert in alerts.end(600.0):
        sent = alert.as_json(NOW, NOW, {})
        assert len(json.dumps(sent)) < 60_000
        one_line = ("summary", "worker", "where", "worker_list", "quiet", "run")
        for text in (*sent["labels"].values(), *(sent["annotations"].get(name, "") for name in one_line)):
            assert len(text) <= 1_000
            assert text.isprintable()
        assert len(sent["annotations"]["run"]) <= 300
        assert sent["annotations"]["message"].startswith("a\nb\ufffd\ufffd[31m\ufffd\ufffdx")
        assert sent["annotations"]["traceback_end"].endswith("the end")


def test_errors_of_one_family_are_one_alert() -> None:
    alerts = Alerts(PUSH)
    (alert,) = alerts.on_events(
        [event(1, fingerprint="a", pattern_id="F"), event(2, fingerprint="b", pattern_id="F")], 0.0
    )
    assert labels(alert)["fingerprint"] == "F"
    assert alert.annotations["pattern_link"].endswith("?pattern=F")
    (alone,) = alerts.on_events([event(3, fingerprint="c", pattern_id="")], 0.0)  # of a log from before pattern ids
    assert labels(alone)["fingerprint"] == "c"


RUN = {"run": "4711", "job": "nightly-gpu", "suite": "train", "commit": "1a2b3c4", "branch": "main", "user": "ada"}


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (RUN, "4711 (nightly-gpu, suite train, commit 1a2b3c4 on main)"),
        ({"run": "nightly/4711"}, "nightly/4711"),
        ({"run": "4711", "branch": "main"}, "4711 (branch main)"),
        ({"run": "4711", "commit": "1a2b3c4"}, "4711 (commit 1a2b3c4)"),
        ({"run": "4711", "commit": "0123456789abcdef" * 4}, "4711 (commit 0123456789ab…)"),
        ({"job": "nightly", "suite": "train"}, "nightly, suite train"),
        ({"user": "ada"}, None),
        ({}, None),
    ],
)
def test_the_run_of_the_first_error_is_named_as_far_as_it_is_known(fields: dict[str, str], said: str | None) -> None:
    (alert,) = Alerts(PUSH).on_events([event(**fields), event(2, run="another")], 0.0)
    assert alert.annotations.get("run") == said


@pytest.mark.parametrize("name", ["4711", "nightly/4711", "a b&c=d#e+f%41?", "Läufe:é🚀"])
def test_the_link_of_a_run_leads_to_its_view(name: str) -> None:
    (alert,) = Alerts(PUSH).on_events([event(run=name)], 0.0)
    address, _, query = alert.annotations["run_link"].partition("?")
    assert address == "http://here:8080/error-visualization"
    assert urllib.parse.parse_qsl(query, strict_parsing=True) == [("view", f"run:{name}")]


def test_without_the_id_of_a_run_there_is_no_link_to_it() -> None:
    (alert,) = Alerts(PUSH).on_events([event(job="nightly")], 0.0)
    assert "run_link" not in alert.annotations


def test_every_annotation_is_documented() -> None:
    alerts = Alerts(PUSH)
    alerts.on_events([event(**RUN, traceback="T")], 0.0)
    alerts.on_return(event(2, **RUN, is_new_pattern=True), 1, "ada", 0.0)
    alerts.on_events(storm(4), 60.0)
    sent = {name for alert in alerts for name in alert.annotations}
    sent |= {name for alert in alerts.end(700.0) for name in alert.annotations}
    table = (ROOT / "docs/alerting.md").read_text("utf-8").partition("| Annotation |")[2].partition("\n\n")[0]
    documented = {name for row in table.splitlines()[2:] for name in re.findall(r"`(\w+)`", row.split("|")[1])}
    assert sent == documented


def test_the_run_of_a_deleted_error_is_removed_from_all_its_alerts() -> None:
    """Anything may be in the name of a job or of a branch."""
    alerts = Alerts(PUSH)
    alerts.on_events([event(n + 1, worker_id=f"w{n}", **dict.fromkeys(RUN, "opensesame")) for n in range(2)], 0.0)
    assert [alert.annotations["run"].startswith("opensesame") for alert in alerts] == [True, True]
    alerts.forget([1], 1.0)
    sent = [alert.as_json(NOW, NOW, {}) for alert in alerts]
    assert len(sent) == 2
    assert "opensesame" not in json.dumps(sent)
    assert b"opensesame" not in msgspec.msgpack.encode(alerts.keep(1.0, NOW))


def test_the_run_is_the_first_one_also_after_a_restart() -> None:
    before, after = Alerts(PUSH), Alerts(PUSH)
    before.on_events([event(**RUN)], 0.0)
    kept = msgspec.msgpack.encode(before.keep(1.0, NOW))
    after.restore(msgspec.msgpack.decode(kept, type=Kept), 0.0, NOW)
    first, spread = after.on_events([event(2, worker_id="w1", run="4712")], 5.0)
    for alert in (first, spread):
        assert alert.annotations["run"] == "4711 (nightly-gpu, suite train, commit 1a2b3c4 on main)"
        assert alert.annotations["run_link"] == "http://here:8080/error-visualization?view=run%3A4711"


def test_a_state_that_was_kept_goes_on_as_if_nothing_happened() -> None:
    """The times move by what the wall clock says has passed; a clock that was set back counts as no time."""
    before = Alerts(PUSH)
    before.on_events(storm(7), 0.0)
    kept = msgspec.msgpack.encode(before.keep(100.0, NOW))
    identities = [labels(alert) for alert in before.due(100.0)]
    for passed, ends in ((300, 200.0), (-3_600, 500.0)):
        after = Alerts(PUSH)
        state = msgspec.msgpack.decode(kept, type=Kept)
        after.restore(state, 5_000.0, NOW + dt.timedelta(seconds=passed))
        assert steps(after.due(5_000.0)) == ["", "2", "4"]
        assert after.end(5_000.0 + ends - 1) == []
        other = Alerts(PUSH)
        other.restore(msgspec.msgpack.decode(kept, type=Kept), 5_000.0, NOW + dt.timedelta(seconds=passed))
        assert len(other.end(5_000.0 + ends)) == 3
        again = after.on_events([event(50, worker_id="w3"), event(51, worker_id="w7")], 5_000.0)
        assert steps(again) == ["", "2", "4", "8"]
        assert [labels(alert) for alert in again[:3]] == identities
        assert again[-1].annotations["news"] == "Now on 8 workers, 7 before. New: w7."
        assert len(after.end(5_600.0)) == 4
