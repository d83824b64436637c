"""Turns errors into alerts. Pure: `now` is in monotonic seconds, and this module sends nothing.

Alertmanager sends a message when a group gets an alert with a new label set or when its alerts end, and never because
annotations change. So a pattern has few alerts:

    its first error             ─► one alert, with the label `worker`
    errors on 2, 4, 8 … workers ─► one more alert each, with the label `min_workers` (`SPREAD`)
    quiet everywhere            ─► all of them end

Patterns that begin together (`TOGETHER_SECONDS`), or on a worker where another one began lately
(`SAME_WORKER_SECONDS`), are one *incident*: they have the label `incident` in common, by which Alertmanager groups, and
end together. Numbers and names of workers are annotations, so they may change while an alert fires.
Sentences about the spread and the end are on the first and on the latest alert of a pattern: the first may be silenced.
"""

import datetime as dt
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from typing import Final, NamedTuple

import msgspec
from msgspec.structs import replace

from exporter.alerting.alert import NEW_PATTERN, PAGE, TICKET, Alert, Labels, Push
from exporter.alerting.standings import Standings, Told
from exporter.alerting.words import (
    MAX_ALERT_LABEL,
    back,
    error_words,
    names,
    news,
    no_longer_new,
    quiet,
    resolved,
    where,
    without_texts,
)
from exporter.events.event import ErrorEvent, isoformat
from exporter.events.one_line import one_line

OTHER: Final = "other"
SPREAD: Final = tuple(2**n for n in range(1, 14))  # workers of a pattern, at each of which it gets one more alert
MANY_WORKERS: Final = 8  # from here on an alert is a page
MAX_FIRING: Final = 500  # with alerts of their own at one time; further ones are folded into `other`
MAX_WORKERS: Final = 100_000  # remembered at one time, summed over patterns; of further ones only the errors count
TOGETHER_SECONDS: Final = 30.0
SAME_WORKER_SECONDS: Final = 600.0
LONGEST_WAIT_SECONDS: Final = 3_600.0
UPDATE_SECONDS: Final = 1.0  # least time between two sends of an alert whose numbers change
FRESH_SECONDS: Final = 30.0  # workers that came within it of the alert before are told as one step


class Key(NamedTuple):
    """What the errors of one pattern have in common, if they are to be in one alert."""

    alertname: str
    severity: str
    category: str
    type: str
    fingerprint: str
    is_system_critical: bool
    regression: str = ""


class Incident(msgspec.Struct):
    """Patterns that alert together. Times in monotonic seconds."""

    name: str
    began: float
    last: float  # when its latest error was handled
    patterns: list[Key] = []


class Pattern(msgspec.Struct):
    """A pattern with firing alerts, the first of which is that of its first error."""

    key: Key
    incident: str
    words: dict[str, str]  # about the first error
    alerts: list[Alert] = []
    workers: dict[str, int] = {}  # worker → id of its latest error; in the order of their first errors
    count: int = 0
    last_time: dt.datetime | None = None
    before: int = 0  # workers when the alert before the latest was new; 0 if that came with the first
    stepped: float = 0.0  # when the latest alert was new
    last: float = 0.0  # when its latest error was handled
    sent: float = float("-inf")
    told: tuple[int, int] = (0, 0)  # errors and workers at the latest send


class Kept(msgspec.Struct):
    """The state that outlives the process. `now` is the monotonic time at which it was taken, `at` the wall clock."""

    now: float
    at: dt.datetime
    incidents: list[Incident]
    patterns: list[Pattern]
    heard: dict[str, int]


class Alerts:
    """The firing alerts."""

    def __init__(self, push: Push, standings: Standings | None = None) -> None:
        self._push = push
        self._standings = standings or Standings()
        self._incidents: dict[str, Incident] = {}
        self._patterns: dict[Key, Pattern] = {}
        self._incident_of: dict[str, str] = {}  # worker → the latest incident there
        self._heard: dict[str, int] = {}  # worker of an incident → id of its latest report of any kind
        self._workers = 0  # summed over patterns

    def __len__(self) -> int:
        """The number of alerts."""
        return sum(len(pattern.alerts) for pattern in self._patterns.values())

    def on_events(self, events: Sequence[ErrorEvent], now: float) -> list[Alert]:
        """Counts errors, and returns the alerts that are new, and with them the others of their patterns."""
        stepped: dict[Key, Pattern] = {}
        for event in events:
            told = self._standings.of(event)
            if alertname := self._push.alertname(event, is_return=told.is_return) if told.alerts else "":
                pattern = self._pattern(event, alertname, told, now)
                if self._count(pattern, event, now):
                    stepped[pattern.key] = pattern
            elif self._heard and event.worker_id[:MAX_ALERT_LABEL] in self._heard and not event.imported:
                self._heard[event.worker_id[:MAX_ALERT_LABEL]] = event.id
        return [alert for pattern in stepped.values() for alert in self._send(pattern, now)]

    def due(self, now: float) -> list[Alert]:
        """Returns the alerts to send now, because their numbers changed or their last send was `resend_seconds` ago."""
        due: list[Alert] = []
        for pattern in self._patterns.values():
            silent = now - pattern.sent
            changed = pattern.count >= 2 * pattern.told[0] or len(pattern.workers) > pattern.told[1]
            if silent >= self._push.resend_seconds or (changed and silent >= UPDATE_SECONDS):
                due += self._send(pattern, now)
        return due

    def end(self, now: float) -> list[Alert]:
        """Removes and returns the alerts that had no error for `hold_seconds`. Patterns of an incident end together,
        but none waits longer than `LONGEST_WAIT_SECONDS` for others: an error after that is news."""
        hold = self._push.hold_seconds
        ended: list[Alert] = []
        for incident in list(self._incidents.values()):
            least = hold if now - incident.last >= hold else max(hold, LONGEST_WAIT_SECONDS)
            ending = [key for key in incident.patterns if now - self._patterns[key].last >= least]
            incident.patterns = [key for key in incident.patterns if key not in ending]
            if not incident.patterns:
                del self._incidents[incident.name]
            patterns = [self._patterns.pop(key) for key in ending]
            last: Counter[str] = Counter()  # worker → id of its latest error of the incident
            for pattern in patterns:
                last |= Counter(pattern.workers)
            for pattern in patterns:
                self._workers -= len(pattern.workers)
                workers = list(pattern.workers)
                silent = [worker for worker in workers if self._heard.get(worker, 0) <= last[worker]]
                pattern.before = 0
                ended += self._send(pattern, now)
                for alert in (pattern.alerts[0], pattern.alerts[-1]):
                    alert.annotations["quiet"] = (
                        no_longer_new(least)
                        if pattern.key.alertname == NEW_PATTERN
                        else quiet(least, pattern.count, workers, silent)
                    )
        if ended:
            self._index()
        return ended

    def resolve(self, names: Collection[str], before: int, by: str, now: float) -> list[Alert]:
        """Removes and returns the alerts of a pattern that somebody resolved: those from before it came back for the
        time number `before`. `names` are the ids of the pattern."""
        keys = [key for key in self._patterns if key.fingerprint in names and int(key.regression or 0) < before]
        ended: list[Alert] = []
        for key in keys:
            pattern = self._patterns.pop(key)
            incident = self._incidents[pattern.incident]
            incident.patterns.remove(key)
            if not incident.patterns:
                del self._incidents[incident.name]
            self._workers -= len(pattern.workers)
            pattern.before = 0
            ended += self._send(pattern, now)
            for alert in (pattern.alerts[0], pattern.alerts[-1]):
                alert.annotations["quiet"] = resolved(by)
        if ended:
            self._index()
        return ended

    def on_return(self, event: ErrorEvent, regression: int, by: str, now: float) -> list[Alert]:
        """Counts the error that shows that a resolved pattern came back, and returns the new alerts."""
        alertname = self._push.alertname(event, is_return=True)
        if not alertname:
            return []
        pattern = self._pattern(event, alertname, Told(True, str(regression), True, by), now)
        self._count(pattern, event, now)
        return self._send(pattern, now)

    def has(self, names: Collection[str], regression: int) -> bool:
        """Returns whether a pattern has alerts that say that it came back, for the time number `regression`."""
        return any(key.fingerprint in names and key.regression == str(regression) for key in self._patterns)

    def errors(self) -> list[int]:
        """Returns the ids of the errors whose texts the alerts have."""
        return [int(pattern.words["error_id"]) for pattern in self._patterns.values()]

    def forget(self, ids: Collection[int], now: float) -> list[Alert]:
        """Removes the texts of errors, and returns the alerts that had them."""
        found = [pattern for pattern in self._patterns.values() if int(pattern.words["error_id"]) in ids]
        for pattern in found:
            pattern.words = without_texts(pattern.words)
        return [alert for pattern in found for alert in self._send(pattern, now)]

    def keep(self, now: float, at: dt.datetime) -> Kept:
        """Returns the state. It shares objects with this one: encode it before the next call. It has no annotations,
        which are made anew."""
        patterns = [
            replace(pattern, alerts=[replace(alert, annotations={}) for alert in pattern.alerts])
            for pattern in self._patterns.values()
        ]
        return Kept(now, at, list(self._incidents.values()), patterns, self._heard)

    def __iter__(self) -> Iterator[Alert]:
        return (alert for pattern in self._patterns.values() for alert in pattern.alerts)

    def restore(self, kept: Kept, now: float, at: dt.datetime) -> None:
        """Goes on from a state. Times move by the time that has passed by the wall clock, which may have been set
        back."""
        shift = now - kept.now - max((at - kept.at).total_seconds(), 0.0)
        for incident in kept.incidents:
            incident.began += shift
            incident.last += shift
            self._incidents[incident.name] = incident
        for pattern in kept.patterns:
            pattern.stepped += shift
            pattern.last += shift
            pattern.sent = float("-inf")
            self._patterns[pattern.key] = pattern
            self._workers += len(pattern.workers)
        self._heard = kept.heard
        self._index()

    def _index(self) -> None:
        """Forgets workers that no pattern has."""
        self._incident_of = {
            worker: pattern.incident for pattern in self._patterns.values() for worker in pattern.workers
        }
        self._heard = {worker: self._heard.get(worker, 0) for worker in self._incident_of}

    def _pattern(self, event: ErrorEvent, alertname: str, told: Told, now: float) -> Pattern:
        """Returns the pattern of an error; a new one if it has no alert."""
        key = Key(
            alertname,
            event.severity,
            event.category[:MAX_ALERT_LABEL],
            event.type[:MAX_ALERT_LABEL],
            event.pattern_id or event.fingerprint,
            event.is_system_critical,
            told.regression,
        )
        pattern = self._patterns.get(key)
        if pattern is None and len(self._patterns) >= MAX_FIRING:
            key = key._replace(category=OTHER, type=OTHER, fingerprint=OTHER, regression="")
            pattern = self._patterns.get(key)
        if pattern is None:
            incident = self._incident(key.fingerprint, event.worker_id[:MAX_ALERT_LABEL], now)
            incident.patterns.append(key)
            words = error_words(event, self._push, is_return=told.is_return)
            words = back(words, told.resolved_by) if key.regression and told.resolved_by else words
            pattern = self._patterns[key] = Pattern(key, incident.name, words, stepped=now)
            labels = _labels(pattern, PAGE if key.is_system_critical else TICKET)
            worker = one_line(event.worker_id, MAX_ALERT_LABEL)
            pattern.alerts.append(Alert(labels._replace(worker=worker), event.received_at))
        return pattern

    def _incident(self, fingerprint: str, worker: str, now: float) -> Incident:
        """Returns the incident that a new pattern belongs to; a new one if there is none."""
        same_worker = self._incidents.get(self._incident_of.get(worker, ""))
        if same_worker and now - same_worker.began < SAME_WORKER_SECONDS:
            return same_worker
        for incident in self._incidents.values():
            if now - incident.began < TOGETHER_SECONDS or incident.name == fingerprint:
                return incident
        return self._incidents.setdefault(fingerprint, Incident(fingerprint, now, now))

    def _count(self, pattern: Pattern, event: ErrorEvent, now: float) -> bool:
        """Counts an error of a pattern. Returns whether the pattern has a new alert."""
        worker = event.worker_id[:MAX_ALERT_LABEL]
        is_new_worker = worker not in pattern.workers and self._workers < MAX_WORKERS
        pattern.count += 1
        pattern.last_time = event.timestamp
        self._incidents[pattern.incident].last = pattern.last = now
        if is_new_worker:
            self._workers += 1
            self._incident_of[worker] = pattern.incident
        if is_new_worker or worker in pattern.workers:
            pattern.workers[worker] = self._heard[worker] = event.id
        number = len(pattern.workers)
        if is_new_worker and number in SPREAD:
            if now - pattern.stepped > FRESH_SECONDS:
                pattern.before = number - 1
            pattern.stepped = now
            labels = _labels(pattern, PAGE if pattern.key.is_system_critical or number >= MANY_WORKERS else TICKET)
            pattern.alerts.append(Alert(labels._replace(min_workers=str(number)), event.received_at))
            return True
        return pattern.count == 1

    def _send(self, pattern: Pattern, now: float) -> list[Alert]:
        """Gives the alerts of a pattern its present numbers, and returns them."""
        workers = list(pattern.workers)
        pattern.sent, pattern.told = now, (pattern.count, len(workers))
        numbers = {
            "count": str(pattern.count),
            "workers": str(len(workers)),
            "where": where(workers or [pattern.words.get("worker", "")]),
            "last_time": isoformat(pattern.last_time) if pattern.last_time else "",
        }
        if len(workers) > 1:
            numbers["worker_list"] = names(workers)
        for alert in pattern.alerts:
            alert.annotations = pattern.words | numbers
            if alert.labels.min_workers:
                alert.annotations.pop("traceback", None)
        for alert in (pattern.alerts[0], pattern.alerts[-1]) if pattern.before else ():
            alert.annotations["news"] = news(workers, pattern.before)
        return pattern.alerts


def _labels(pattern: Pattern, urgency: str) -> Labels:
    key = pattern.key
    return Labels(
        key.alertname,
        key.severity,
        one_line(key.category, MAX_ALERT_LABEL),
        one_line(key.type, MAX_ALERT_LABEL),
        key.fingerprint,
        "true" if key.is_system_critical else "",
        incident=pattern.incident,
        urgency=urgency,
        regression=key.regression,
    )
