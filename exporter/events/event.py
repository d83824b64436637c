"""The stored error: what a report has become once it was classified."""

import datetime as dt
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from exporter.events.report import ErrorReport, lenient_json, parse_report

Severity = Literal["critical", "warning", "info"]
CONTEXTS: Final = ("system_context", "hardware_context", "error_frequency")
SEVERITIES: Final[tuple[Severity, ...]] = ("critical", "warning", "info")

MAX_MESSAGE: Final = 8_192  # characters of a message and of a traceback in lists and live updates; details give all
MAX_TRACEBACK: Final = 32_768
MAX_CONTEXT: Final = 32_768  # bytes of a context in lists and live updates; details give all


class ErrorEvent(Struct):
    """One error event. `id` is 0 until it is committed; times are aware and UTC; `body` is the report's own JSON."""

    id: int
    event_id: str
    timestamp: dt.datetime
    received_at: dt.datetime
    worker_id: str
    type: str
    category: str
    message: str
    severity: Severity
    reasons: tuple[str, ...]
    fingerprint: str
    pattern: str
    is_recurring: bool
    is_system_critical: bool
    hardware_type: str | None
    hardware_error: bool
    is_new_pattern: bool = False  # the first of its pattern, ever; the store says so
    body: str = ""
    parsed: ErrorReport | None = None

    @property
    def report(self) -> ErrorReport:
        """The report as it was parsed."""
        if self.parsed is None:
            self.parsed = parse_report(self.body.encode()).report
        return self.parsed

    def as_dict(self) -> dict[str, Any]:
        """The event as the API and the WebSocket give it, long texts cut."""
        return error_object(
            self.body,
            {
                "id": self.id,
                "event_id": self.event_id,
                "timestamp": isoformat(self.timestamp),
                "received_at": isoformat(self.received_at),
                "worker_id": self.worker_id,
                "type": self.type,
                "error_category": self.category,
                "message": self.message,
                "severity": self.severity,
                "reasons": list(self.reasons),
                "fingerprint": self.fingerprint,
                "is_recurring": self.is_recurring,
                "is_critical": self.severity == "critical",
                "is_system_critical": self.is_system_critical,
                "is_hardware_error": self.hardware_error,
            },
        )


def error_object(body: str, columns: dict[str, Any], *, whole: bool = False) -> dict[str, Any]:
    """One error as JSON: what was computed (`columns`) and what only the report's own text holds. Unless `whole`, long
    texts are cut and large contexts left out (`truncated` names them); a traceback keeps its end, where the error
    is."""
    sent = payload(body)
    traceback = sent.get("traceback")
    error = columns | {
        "traceback": traceback,
        "system_context": sent.get("system_context"),
        "hardware_context": sent.get("hardware_context"),
        "error_frequency": sent.get("error_frequency"),
    }
    if whole:
        error["message"] = sent.get("message") or columns["message"]
        return error
    truncated = _without_large_contexts(error) if len(body) > MAX_CONTEXT else []
    if traceback and len(traceback) > MAX_TRACEBACK:
        error["traceback"] = "…" + traceback[-MAX_TRACEBACK:]
        truncated.append("traceback")
    if len(sent.get("message") or "") > MAX_MESSAGE:
        truncated.append("message")
    if truncated:
        error["truncated"] = truncated
    return error


def _without_large_contexts(error: dict[str, Any]) -> list[str]:
    large = [name for name in CONTEXTS if len(msgspec.json.encode(error[name])) > MAX_CONTEXT]
    error.update(dict.fromkeys(large))
    return large


def payload(body: str) -> dict[str, Any]:
    """The report as it was sent. Numbers beyond a double's range, in fields that nobody checks, are null."""
    sent: dict[str, Any]
    try:
        sent = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        sent = lenient_json(body)
    return sent


def isoformat(moment: dt.datetime) -> str:
    """ISO 8601 in UTC with milliseconds, `Z` at the end; a moment without an offset is taken to be UTC."""
    if moment.tzinfo is not None:
        moment = moment.astimezone(dt.UTC).replace(tzinfo=None)
    return moment.isoformat(timespec="milliseconds") + "Z"
