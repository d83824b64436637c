"""Turns errors into alerts: one alert per pattern and worker, which fires until the errors stop.

Pure: `now` is in monotonic seconds, and this module sends nothing.
"""

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import msgspec

from exporter.events.event import ErrorEvent, isoformat
from exporter.events.plain_text import plain_text
from exporter.events.stored import decoder

CRITICAL: Final = "CriticalError"
NEW_PATTERN: Final = "NewErrorPattern"
OTHER: Final = "other"
MAX_ALERT_LABEL: Final = 200  # characters of a label of an alert
MAX_ALERT_MESSAGE: Final = 4_000  # characters of the annotation `message`
MAX_ALERT_TRACEBACK: Final = 4_000  # characters of the annotation `traceback`
MAX_SUMMARY: Final = 200  # characters of the annotation `summary`
MAX_ALERTS: Final = 2_000  # firing at one time; labels of further alerts are folded into `other`
MAX_WORKERS: Final = 20  # with their own alert for one pattern; further workers are folded into `other`
UPDATE_SECONDS: Final = 1.0  # least time between two sends of an alert whose count grows

# Control characters mean nothing in a message, but terminals and chat or mail programs may interpret them.
_VISIBLE: Final = dict.fromkeys((*range(32), *range(127, 160)), "�") | {9: "\t", 10: "\n"}
_ONE_LINE: Final = _VISIBLE | {9: " ", 10: " "}


class Push(msgspec.Struct, frozen=True):
    """Which errors become alerts, and for how long. An alert fires until its pattern had no error on its worker for
    `hold_seconds`; meanwhile it is resent every `resend_seconds`. `page_url` and `runbook_url` are the addresses of the
    page and of the runbooks, without a trailing slash."""

    critical: bool = True
    system_critical: bool = True
    new_patterns: bool = False
    resend_seconds: float = 60.0
    hold_seconds: float = 600.0
    page_url: str = ""
    runbook_url: str = ""

    def alertname(self, event: ErrorEvent) -> str:
        """Returns the name of the alert for an error; "" if the error is not pushed."""
        if event.imported:
            return ""
        if event.severity == "critical" and (self.critical or (self.system_critical and event.is_system_critical)):
            return CRITICAL
        return NEW_PATTERN if self.new_patterns and event.is_new_pattern else ""


class Labels(NamedTuple):
    """The labels that identify an alert. They do not change while it fires. `as_json` adds the label `source`.

    `fingerprint` is the pattern id that the error had when it was accepted, also after a restart: no error gets a
    second alert because its pattern became part of a family meanwhile. The label has this name from before there were
    families, so that silences and routes go on."""

    alertname: str
    severity: str
    category: str
    type: str
    fingerprint: str
    system_critical: str
    worker: str


class Alert:
    """A firing alert: the number of its errors, and annotations about the error at which that number last doubled."""

    __slots__ = ("accepted_by", "annotations", "changed", "count", "labels", "last", "sent", "shown", "starts_at")

    def __init__(self, labels: Labels, starts_at: dt.datetime) -> None:
        self.labels = labels
        self.starts_at = starts_at
        self.annotations: dict[str, str] = {}
        self.count = 0
        self.shown = 0  # `count` when `annotations` were set
        self.last = 0.0
        self.sent = float("-inf")
        self.changed = False
        self.accepted_by: set[str] = set()  # names of the Alertmanagers that accepted it while it fired

    def as_json(self, ends_at: dt.datetime) -> dict[str, Any]:
        """Returns the alert in the format of Alertmanager's API v2.

        If the clock was set back since the alert began, `startsAt` is `ends_at`: Alertmanager refuses one that ends
        before its start, and one that ends in the future keeps firing there.
        """
        labels = {name: value for name, value in self.labels._asdict().items() if value}
        return {
            "labels": labels | {"source": "push"},
            "annotations": self.annotations | {"count": str(self.count)},
            "startsAt": isoformat(min(self.starts_at, ends_at)),
            "endsAt": isoformat(ends_at),
            "generatorURL": self.annotations["permalink"],
        }


class Alerts:
    """The firing alerts. An alert is updated when its count has doubled, so a flood of errors causes few updates."""

    def __init__(self, push: Push) -> None:
        self._push = push
        self._alerts: dict[Labels, Alert] = {}
        self._workers: Counter[Labels] = Counter()

    def __len__(self) -> int:
        return len(self._alerts)

    def on_events(self, events: Sequence[ErrorEvent], now: float) -> list[Alert]:
        """Counts errors, and returns the alerts that start to fire."""
        new = []
        for event in events:
            alertname = self._push.alertname(event)
            if not alertname:
                continue
            labels = labels_of(event, alertname)
            alert = self._alerts.get(labels)
            if alert is None:
                labels = self._fold(labels)
                alert = self._alerts.get(labels)
            if alert is None:
                alert = self._alerts[labels] = Alert(labels, event.received_at)
                self._workers[labels._replace(worker="")] += 1
                alert.sent = now
                new.append(alert)
            alert.count += 1
            alert.last = now
            if alert.count >= 2 * alert.shown:
                alert.annotations = annotations_of(event, self._push)
                alert.changed = alert.shown > 0
                alert.shown = alert.count
        return new

    def due(self, now: float) -> list[Alert]:
        """Returns the alerts to send now, because they changed or their last send was `resend_seconds` ago."""
        due = []
        for alert in self._alerts.values():
            silent = now - alert.sent
            if silent >= self._push.resend_seconds or (alert.changed and silent >= UPDATE_SECONDS):
                alert.sent = now
                alert.changed = False
                due.append(alert)
        return due

    def end(self, now: float) -> list[Alert]:
        """Removes and returns the alerts that had no error for `hold_seconds`."""
        ended = [alert for alert in self._alerts.values() if now - alert.last >= self._push.hold_seconds]
        for alert in ended:
            del self._alerts[alert.labels]
            pattern = alert.labels._replace(worker="")
            self._workers[pattern] -= 1
            if not self._workers[pattern]:
                del self._workers[pattern]
        return ended

    def _fold(self, labels: Labels) -> Labels:
        """Returns the labels of a new alert: `labels`, with values folded into `other` where a limit is reached."""
        if self._workers[labels._replace(worker="")] >= MAX_WORKERS:
            labels = labels._replace(worker=OTHER)
        if len(self._alerts) >= MAX_ALERTS and labels not in self._alerts:
            labels = labels._replace(category=OTHER, type=OTHER, fingerprint=OTHER, worker=OTHER)
        return labels


def labels_of(event: ErrorEvent, alertname: str) -> Labels:
    return Labels(
        alertname,
        event.severity,
        one_line(event.category, MAX_ALERT_LABEL),
        one_line(event.type, MAX_ALERT_LABEL),
        event.pattern_id or event.fingerprint,
        "true" if event.is_system_critical else "",
        one_line(event.worker_id, MAX_ALERT_LABEL),
    )


def annotations_of(event: ErrorEvent, push: Push) -> dict[str, str]:
    """Returns annotations about an error. Texts are cut (tracebacks at the start); control characters are replaced."""
    traceback = _traceback(event)
    message = event.message or event.pattern
    worker = one_line(event.worker_id, MAX_ALERT_LABEL)
    alertname = push.alertname(event)
    annotations = {
        "summary": one_line(f"{event.category} in {worker}: {message}", MAX_SUMMARY),
        "message": cut(message, MAX_ALERT_MESSAGE),
        "traceback": cut(traceback, MAX_ALERT_TRACEBACK, end=True),
        "time": isoformat(event.timestamp),
        "worker": worker,
        "reasons": one_line("; ".join(event.reasons), 500),
        "error_id": str(event.id),
        "error_fingerprint": event.fingerprint,
        "permalink": f"{push.page_url}/error-visualization?error={event.id}",
        "runbook_url": f"{push.runbook_url}/{alertname}.md" if push.runbook_url else "",
    }
    return {name: text for name, text in annotations.items() if text}


def one_line(text: str, most: int) -> str:
    """Returns `text` in one line, with control characters replaced, cut to `most` characters."""
    return cut(text.translate(_ONE_LINE), most).strip()


def cut(text: str, most: int, *, end: bool = False) -> str:
    """Returns the beginning of `text`, or with `end` its end: `most` characters at most, with an ellipsis at the cut.
    Line breaks become "\\n"; other control characters except tabs are replaced."""
    if len(text) > most:
        text = "…" + text[len(text) - most + 1 :] if end else text[: most - 1] + "…"
    return text.replace("\r\n", "\n").replace("\r", "\n").translate(_VISIBLE)


class _Sent(msgspec.Struct):
    traceback: str | None = None


_decode = decoder(_Sent)


def _traceback(event: ErrorEvent) -> str:
    return plain_text(_decode(event.body).traceback or "") if event.body else ""
