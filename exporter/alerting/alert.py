"""What the service pushes: the settings of the push, the labels that identify an alert, and the alert itself."""

import datetime as dt
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import msgspec

from exporter.events.event import ErrorEvent, isoformat

CRITICAL: Final = "CriticalError"
NEW_PATTERN: Final = "NewErrorPattern"
PAGE: Final = "page"
TICKET: Final = "ticket"


class Push(msgspec.Struct, frozen=True):
    """Which errors become alerts, for how long, and with which links and labels.

    The alerts of an incident fire until it had no error for `hold_seconds`; meanwhile they are resent every
    `resend_seconds`. `page_url` and `runbook_url` are the addresses of the page and of the runbooks, without a trailing
    slash. Every alert gets `labels`: `service`, which tells services on one Alertmanager apart, and the external
    labels."""

    critical: bool = True
    system_critical: bool = True
    new_patterns: bool = False
    resend_seconds: float = 60.0
    hold_seconds: float = 600.0
    page_url: str = ""
    runbook_url: str = ""
    runbook_suffix: str = ""
    labels: dict[str, str] = {}

    def alertname(self, event: ErrorEvent, *, is_return: bool = False) -> str:
        """Returns the name of the alert for an error; "" if the error is not pushed. `is_return`: its pattern came back
        after it had been resolved, which is as much news as a new pattern."""
        if event.imported:
            return ""
        if event.severity == "critical" and (self.critical or (self.system_critical and event.is_system_critical)):
            return CRITICAL
        return NEW_PATTERN if self.new_patterns and (event.is_new_pattern or is_return) else ""


class Labels(NamedTuple):
    """The labels that identify an alert; empty ones are left out. They do not change while it fires. `as_dict` adds
    `source` and the labels of `Push`.

    `fingerprint` is the pattern id that the error had when it was accepted, also after a restart: no error gets a
    second alert because its pattern became part of a family meanwhile. The label has this name from before there were
    families, so that silences and routes go on.

    `worker` is that of the pattern's first error. An alert with `min_workers` says that the pattern has come to so many
    workers, and has no `worker`: a silence of one worker does not hide that others have the error, too.

    `regression` counts how many times the pattern came back after somebody had resolved it: each time is news, with new
    alerts."""

    alertname: str
    severity: str
    category: str
    type: str
    fingerprint: str
    system_critical: str
    worker: str = ""
    incident: str = ""
    urgency: str = ""
    min_workers: str = ""
    regression: str = ""

    def as_dict(self, more: Mapping[str, str]) -> dict[str, str]:
        """Returns all labels of the alert, with the labels `more`."""
        return dict(more) | {name: value for name, value in self._asdict().items() if value} | {"source": "push"}


class Alert(msgspec.Struct):
    """A firing alert. `annotations` are those of its latest send."""

    labels: Labels
    starts_at: dt.datetime
    annotations: dict[str, str] = {}
    accepted_by: set[str] = set()  # names of the Alertmanagers that accepted it while it fired

    def as_json(self, starts_at: dt.datetime, ends_at: dt.datetime, more: Mapping[str, str]) -> dict[str, Any]:
        """Returns the alert in the format of Alertmanager's API v2, with the labels `more`.

        If the clock was set back since `starts_at`, `startsAt` is `ends_at`: Alertmanager refuses one that ends before
        its start, and one that ends in the future keeps firing there.
        """
        return {
            "labels": self.labels.as_dict(more),
            "annotations": self.annotations,
            "startsAt": isoformat(min(starts_at, ends_at)),
            "endsAt": isoformat(ends_at),
            "generatorURL": self.annotations["permalink"],
        }
