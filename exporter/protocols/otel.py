"""A record of OpenTelemetry becomes one error report; what has no field of its own is kept under `otel`.

    worker_id   worker_id | worker.id | cicd.worker.name | cicd.worker.id | service.instance.id, unless it is made by
                chance and there is a name | k8s.pod.name | host.name | service.name | "otel"
    type        exception.type | error.type | "LogRecord"
    message     exception.message | the body
    traceback   exception.stacktrace
    run, test   attributes of the semantic conventions for CI/CD, version control and tests
    event_id    a hash of the record; of one without a time, a hash of the batch and the place in it: an exporter that
                sends a batch again stores nothing twice

An attribute of the record comes before one of its resource.
"""

import datetime as dt
import hashlib
import re
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import msgspec

from exporter.protocols.bounds import Bounds
from exporter.protocols.identity import named, without_empty
from exporter.protocols.json_value import text_of

ERROR: Final = 17  # the lowest severity number of an error
MAX_TEXT: Final = 1_000_000
WORKER: Final = (
    "worker_id", "worker.id", "cicd.worker.name", "cicd.worker.id", "service.instance.id", "k8s.pod.name", "host.name",
    "service.name",
)  # fmt: skip
RUN: Final = {
    "id": ("run.id", "cicd.pipeline.run.id"),
    "job": ("run.job", "cicd.pipeline.task.name", "cicd.pipeline.name"),
    "suite": ("run.suite", "test.suite.name"),
    "commit": ("run.commit", "vcs.ref.head.revision"),
    "branch": ("run.branch", "vcs.ref.head.name"),
    "user": ("run.user", "user.name"),
    "url": ("run.url", "cicd.pipeline.run.url.full"),
}
TEST: Final = {
    "id": ("test.id", "test.case.name"), "file": ("test.file", "code.file.path", "code.filepath"),
    "outcome": ("test.outcome", "test.case.result.status"),
}  # fmt: skip
SYSTEM: Final = {
    "hostname": ("host.name", "k8s.node.name"), "platform": ("os.type", "os.name"), "architecture": ("host.arch",),
}  # fmt: skip
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_encode = msgspec.json.Encoder(order="deterministic").encode


class Record(NamedTuple):
    """A log record, or an exception event of a span. `nanoseconds` is the time since 1970, 0 for an unknown one. `ids`
    are trace and span, in hexadecimal. `span` is the name of the span, "" for a log record."""

    resource: dict[str, Any]
    attributes: dict[str, Any]
    body: Any
    nanoseconds: int
    severity: int
    severity_text: str
    scope: str
    ids: tuple[str, str]
    span: str = ""

    @property
    def is_error(self) -> bool:
        """Whether it is an error: by its severity, or because it has an exception."""
        names = ("exception.type", "exception.message")
        return self.severity >= ERROR or any(name in self.attributes for name in names)


def reports_of(records: Iterable[Record], batch: bytes) -> list[dict[str, Any]]:
    """Returns the error reports of the records that are errors. `batch` is the request that they are from."""
    seen: dict[str, int] = {}
    of_batch = hashlib.blake2b(batch, digest_size=16).hexdigest()
    reports = []
    for place, record in enumerate(records):
        if record.is_error:
            event_id = _event_id(record, seen) if record.nanoseconds else f"{of_batch}-at-{place}"
            reports.append(_report(record, event_id))
    return reports


def _event_id(record: Record, seen: dict[str, int]) -> str:
    """Returns a hash of the record, and counts it in `seen`."""
    digest = hashlib.blake2b(_encode(record), digest_size=16).hexdigest()
    times = seen[digest] = seen.get(digest, 0) + 1
    return digest if times == 1 else f"{digest}-{times}"


def _report(record: Record, event_id: str) -> dict[str, Any]:
    attributes, resource = record.attributes, record.resource

    def look_up(name: str) -> Any:
        return attributes.get(name, resource.get(name))

    body = record.body if isinstance(record.body, str) else "" if record.body is None else _encode(record.body).decode()
    has_exception = "exception.type" in attributes or "exception.message" in attributes
    message = text_of(attributes.get("exception.message")) or ("" if has_exception and record.span else body)
    type_ = text_of(attributes.get("exception.type")) or text_of(attributes.get("error.type")) or "LogRecord"
    hardware = text_of(look_up("hardware_type"))
    python = text_of(look_up("process.runtime.version")) if "python" in _runtime(resource) else ""
    return without_empty({
        "worker_id": _worker(look_up),
        "type": type_,
        "message": (message or ("" if has_exception else "a log record without a body"))[:MAX_TEXT],
        "traceback": text_of(attributes.get("exception.stacktrace"))[:MAX_TEXT],
        "timestamp": _time(record.nanoseconds),
        "event_id": event_id,
        "error_category": text_of(look_up("error_category")),
        "system_context": named(SYSTEM, look_up) | ({"python_version": python} if python else {}),
        "hardware_context": {"hardware_type": hardware} if hardware else None,
        "run": named(RUN, look_up),
        "test": named(TEST, look_up),
        "otel": _rest(record, body if body != message else ""),
    })  # fmt: skip


def _worker(look_up: Any) -> str:
    names = {source: name for source in WORKER if (name := text_of(look_up(source)).strip())}
    instance = names.get("service.instance.id", "")
    if _UUID.fullmatch(instance) and ("k8s.pod.name" in names or "host.name" in names):
        del names["service.instance.id"]  # an SDK makes one at each start: no name of a machine
    return next(iter(names.values()), "otel")


def _runtime(resource: dict[str, Any]) -> str:
    return (text_of(resource.get("process.runtime.name")) + text_of(resource.get("telemetry.sdk.language"))).lower()


def _time(nanoseconds: int) -> str | None:
    """Returns ISO 8601 in UTC, None for an unknown time or one beyond the calendar."""
    if not 0 < nanoseconds < 2**63:
        return None
    moment = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=nanoseconds // 1_000)
    return moment.isoformat()


def _rest(record: Record, body: str) -> dict[str, Any]:
    bounds = Bounds()
    fields = ("exception.type", "exception.message", "exception.stacktrace")
    others = {name: value for name, value in record.attributes.items() if name not in fields}
    trace, span = record.ids
    return without_empty({
        "severity_number": record.severity or None,
        "severity_text": bounds.keep(record.severity_text),
        "scope": bounds.keep(record.scope),
        "span": bounds.keep(record.span),
        "trace_id": trace,
        "span_id": span,
        "attributes": bounds.keep(others),
        "resource": bounds.keep(record.resource),
        "body": bounds.keep(body),
    })  # fmt: skip
