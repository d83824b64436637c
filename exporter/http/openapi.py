"""The OpenAPI 3.1 document, made of the declared parameters and answers. A test compares it with the routes and with
real answers."""

import re
from collections.abc import Sequence
from functools import cache
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Struct

from exporter import __version__
from exporter.events.heartbeat import Heartbeat, Machines, Received
from exporter.events.outcome import Outcome
from exporter.events.report import MAX_EVENT_ID, ErrorReport
from exporter.events.run_report import RunReport
from exporter.http.answers import (
    BatchResult,
    Configuration,
    Failure,
    Healthy,
    Overview,
    Ready,
    Reloaded,
    Reset,
    ServiceState,
    Session,
    StoredAlerts,
    StoredResults,
    StoredSummary,
    Success,
)
from exporter.http.heartbeats import MachineChoice
from exporter.http.junit import JUnitUpload
from exporter.http.openapi_protocols import PATHS, AlertmanagerMessage, foreign_operations
from exporter.http.parameters import MAX_BATCH_KEY, Sending
from exporter.judgement.result import Verdict
from exporter.store.decisions import Decided, Merge, MergeRequest, Split, SplitRequest, Undo
from exporter.store.deletions import DeleteRequest, Deletion, Pinned
from exporter.store.parameters import (
    AuditPaging,
    Comparison,
    ErrorFilters,
    ErrorPaging,
    ExportChoice,
    FacetChoice,
    Filters,
    HistoryChoice,
    PatternPaging,
    RankingChoice,
    RunPaging,
    TestPaging,
    TimeRange,
    WorkerPaging,
)
from exporter.store.queries import (
    POLLED,
    ExportErrors,
    GetError,
    GetFacets,
    GetHistory,
    GetOverview,
    GetPattern,
    GetPatternState,
    GetRankings,
    GetRun,
    GetStorage,
    GetWorker,
    ListAudit,
    ListDecisions,
    ListDeletions,
    ListErrors,
    ListPatterns,
    ListRuns,
    ListWorkers,
    Read,
    result_type,
)
from exporter.store.states import ActRequest, DrainRequest, MuteRequest, NoteRequest, StateOfPattern, StateOfWorker

Schema = dict[str, Any]
REF: Final = "#/components/schemas/{name}"
JSON: Final = "application/json"
NDJSON: Final = "application/x-ndjson"
TEXT: Final[Schema] = {"type": "string", "minLength": 1}
PRINTABLE: Final = r"^[!-~]([ -~]*[!-~])?$"
KEY: Final[Schema] = {
    "name": "Idempotency-Key", "in": "header", "description": "like `event_id`",
    "schema": {"type": "string", "minLength": 1, "maxLength": MAX_EVENT_ID, "pattern": PRINTABLE},
}  # fmt: skip
CHANGING: Final = (400, 403, 404, 413, 415, 503)  # statuses of requests that change something by hand
MEDIA: Final = (NDJSON, "text/csv", "application/vnd.apache.parquet")
BATCH_KEY: Final[Schema] = KEY | {
    "description": "report number N, from 0, gets the `event_id` KEY#N if it has none",
    "schema": {"type": "string", "minLength": 1, "maxLength": MAX_BATCH_KEY, "pattern": PRINTABLE},
}


class Operation(NamedTuple):
    """One request. `read` is the read that answers it, or the type of its answer; `parameters` are declarations of
    query parameters; `body` has a type for each content type; `failures` are HTTP statuses; `path_type` has a field for
    each parameter of the path, if `read` does not; `media` are the content types of an answer that is not JSON; `adds`
    is the type of the answer, if that has more fields than the answer to `read`."""

    method: str
    path: str
    summary: str
    read: Any
    failures: tuple[int, ...]
    parameters: tuple[type[Struct], ...] = ()
    body: dict[str, Any] = {}  # noqa: RUF012  # never changed
    headers: tuple[Schema, ...] = ()
    path_type: type[Struct] | None = None
    media: tuple[str, ...] = ()
    adds: type[Struct] | None = None

    @property
    def success(self) -> Any:
        """The type of a successful answer."""
        generic: Any = Success
        if self.adds:
            return generic[self.adds]
        if not issubclass(self.read, Read):
            return generic[self.read]
        return generic[next(one for one in _members(result_type(self.read)) if one is not type(None))]


OPERATIONS: Final = (
    Operation("post", "/api/report-error", "Report an error", Outcome, (400, 403, 413, 415, 429, 503), (Sending,),
              body={JSON: ErrorReport}, headers=(KEY,)),
    Operation("post", "/api/report-errors", "Report several errors", BatchResult, (207, 400, 403, 413, 415, 429, 503),
              (Sending,), body={JSON: list[ErrorReport], NDJSON: str}, headers=(BATCH_KEY,)),
    Operation("post", "/api/alerts", "Alerts of an Alertmanager", StoredAlerts, (400, 403, 413, 415, 429, 503),
              body={JSON: AlertmanagerMessage}),
    Operation("post", "/api/junit", "A file of test results (JUnit XML)", StoredResults,
              (400, 403, 413, 415, 429, 431, 503), (JUnitUpload,), body={"application/xml": str}),
    Operation("post", "/api/reset-counts", "Count critical errors from now on", Reset, (403, 503)),
    Operation("get", "/api/errors", "Everything that the page shows", GetOverview, (400, 503), (Filters,),
              adds=Overview),
    Operation("get", "/api/verdict", "How bad it is now", Verdict, (400,)),
    Operation("get", "/api/errors/list", "Errors, newest first", ListErrors, (400, 503), (Filters, ErrorPaging)),
    Operation("get", "/api/errors/facets", "Values to filter by", GetFacets, (400, 503), (Filters, FacetChoice)),
    Operation("get", "/api/errors/{id}", "One error", GetError, (400, 404, 503)),
    Operation("post", "/api/errors/delete", "Delete errors, or count what would be deleted", Deletion,
              (400, 403, 413, 415, 503), body={JSON: DeleteRequest}),
    Operation("get", "/api/errors/deletions", "Deletions on request, newest first", ListDeletions, (400, 503)),
    Operation("post", "/api/errors/{id}/pin", "Pin an error", Pinned, (403, 404, 503),
              path_type=GetError),
    Operation("post", "/api/errors/{id}/unpin", "Unpin an error", Pinned, (403, 404, 503),
              path_type=GetError),
    Operation("get", "/api/export", "Errors as a file, in the order of their acceptance", ExportErrors, (400, 503, 505),
              (ExportChoice, ErrorFilters), media=MEDIA),
    Operation("get", "/api/patterns", "Patterns, most frequent first", ListPatterns, (400, 503),
              (Filters, PatternPaging)),
    Operation("get", "/api/patterns/decisions", "Merges and splits by hand, newest first", ListDecisions, (400, 503)),
    Operation("post", "/api/patterns/decisions/{number}/undo", "Undo a merge or a split", Decided, (403, 404, 409, 503),
              path_type=Undo),
    Operation("get", "/api/patterns/{id}", "One pattern", GetPattern, (400, 404, 503), (TimeRange, Comparison)),
    Operation("post", "/api/patterns/{id}/merge", "Make a pattern part of another one", Decided,
              (400, 403, 404, 413, 415, 503), body={JSON: MergeRequest}, path_type=Merge),
    Operation("post", "/api/patterns/{id}/split", "Make fingerprints of a pattern patterns of their own", Decided,
              (400, 403, 404, 413, 415, 503), body={JSON: SplitRequest}, path_type=Split),
    Operation("post", "/api/patterns/{id}/pin", "Pin a pattern", Pinned,
              (403, 404, 503), path_type=Merge),
    Operation("post", "/api/patterns/{id}/unpin", "Unpin a pattern", Pinned, (403, 404, 503),
              path_type=Merge),
    Operation("get", "/api/patterns/{id}/state", "The state of a pattern", GetPatternState, (400, 404, 503)),
    Operation("post", "/api/patterns/{id}/claim", "Say that somebody works on a pattern", StateOfPattern, CHANGING,
              body={JSON: ActRequest}, path_type=Merge),
    Operation("post", "/api/patterns/{id}/resolve", "Say that a pattern should not come back", StateOfPattern, CHANGING,
              body={JSON: ActRequest}, path_type=Merge),
    Operation("post", "/api/patterns/{id}/mute", "Silence the alerts of a pattern", StateOfPattern, CHANGING,
              body={JSON: MuteRequest}, path_type=Merge),
    Operation("post", "/api/patterns/{id}/reopen", "Take back what was said of a pattern", StateOfPattern,
              (*CHANGING, 409), body={JSON: ActRequest}, path_type=Merge),
    Operation("post", "/api/patterns/{id}/note", "Write a note about a pattern", StateOfPattern, CHANGING,
              body={JSON: NoteRequest}, path_type=Merge),
    Operation("post", "/api/workers/{id}/drain", "Say that a worker is out of service", StateOfWorker, (*CHANGING, 409),
              body={JSON: DrainRequest}, path_type=Merge),
    Operation("post", "/api/workers/{id}/undrain", "Say that a worker is in service again", StateOfWorker,
              (*CHANGING, 409), body={JSON: ActRequest}, path_type=Merge),
    Operation("get", "/api/audit", "Who changed which state, newest first", ListAudit, (400, 503), (AuditPaging,)),
    Operation("post", "/api/runs", "Send the summary of a run", StoredSummary, (400, 403, 413, 415, 503),
              body={JSON: RunReport}),
    Operation("get", "/api/runs", "Runs, newest first", ListRuns, (400, 503), (Filters, RunPaging)),
    Operation("get", "/api/runs/{id}", "One run", GetRun, (400, 404, 503), (TestPaging,)),
    Operation("get", "/api/rankings", "Tests, runs, devices and so on with most errors", GetRankings, (400, 503),
              (Filters, RankingChoice)),
    Operation("get", "/api/workers", "Workers: what they are now, and their errors", ListWorkers, (400, 503),
              (Filters, WorkerPaging)),
    Operation("get", "/api/workers/{id}", "One worker", GetWorker, (400, 404, 503), (TimeRange,)),
    Operation("post", "/api/heartbeat", "Say that a machine is alive", Received, (400, 403, 413, 415, 429),
              body={JSON: Heartbeat}),
    Operation("get", "/api/heartbeats", "Machines, silent ones first", Machines, (400,), (MachineChoice,)),
    Operation("get", "/api/storage", "What is stored, and how full it is", GetStorage, (400, 503)),
    Operation("get", "/api/history", "Errors by day, also those that retention has deleted", GetHistory, (400, 503),
              (HistoryChoice,)),
    Operation("get", "/api/session", "Who the caller is, and what it may do", Session, (400,)),
    Operation("get", "/api/service", "The version of the service, and when it ran", ServiceState, (400,)),
    Operation("get", "/api/config", "The settings of the service", Configuration, (400,)),
    Operation("post", "/-/reload", "Read the settings again", Reloaded, (400, 403)),
    Operation("get", "/-/healthy", "The process answers", Healthy, ()),
    Operation("get", "/-/ready", "A report could be stored now", Ready, (503,)),
)  # fmt: skip
SCHEMES: Final[Schema] = {
    "token": {"type": "http", "scheme": "bearer", "description": "made by `error-visualization token create`"},
    "password": {"type": "http", "scheme": "basic", "description": "of a user; or any name and a token as password"},
    "session": {
        "type": "apiKey", "in": "cookie", "name": "error_visualization_session",
        "description": "of POST /login, `__Host-error_visualization_session` with TLS. Changes also need the header "
        "`X-CSRF-Token` with `csrf_token` of GET /api/session",
    },
}  # fmt: skip
PROBES: Final = ("/-/healthy", "/-/ready")
REPORTING: Final = (("post", "/api/alerts"), ("post", "/api/heartbeat"), ("post", "/api/junit"), ("post", "/api/runs"))


def security(scope: str) -> list[Schema]:
    """Returns who may send a request; without credentials it is answered where access control is off."""
    return [*({name: [scope]} for name in SCHEMES), {}]


def scope_of(method: str, path: str) -> str:
    """Returns the name of the scope that a request needs, "" for none."""
    if path in PROBES:
        return ""
    if path.startswith("/api/report-error") or path in PATHS or (method, path) in REPORTING:
        return "report"
    return "read" if method == "get" and path not in ("/api/errors/deletions", "/api/config") else "admin"


OTHERS: Final[Schema] = {
    path: {
        "get": {
            "summary": summary,
            "security": security("read"),
            "responses": {
                "200": {"description": answer},
                **{status: {"description": "see `message`"} for status in ("401", "403", "429")},
                **more,
            },
        }
    }
    for path, summary, answer, more in (
        ("/api/openapi.json", "This document", "OpenAPI 3.1", {}),
        (
            "/metrics",
            "Prometheus text or OpenMetrics",
            "metrics",
            {"503": {"description": "too many scrapes at one time"}},
        ),
    )
}


@cache
def document() -> Schema:
    """Returns the OpenAPI document."""
    kinds = [operation.success for operation in OPERATIONS if not operation.media]
    bodies = [kind for operation in OPERATIONS for kind in operation.body.values()]
    schemas, components = msgspec.json.schema_components([Failure, *kinds, *bodies], ref_template=REF)
    known = dict(zip(map(str, [Failure, *kinds, *bodies]), schemas, strict=True))
    paths: Schema = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = _described(operation, known)
    refusal = _response("see `message` and `field`", known[str(Failure)])
    return {
        "openapi": "3.1.0",
        "info": {"title": "Error Visualization", "version": __version__},
        "paths": paths | foreign_operations(security("report"), refusal) | OTHERS,
        "components": {
            "schemas": {name: _refusing(name, _unwrapped(schema)) for name, schema in components.items()},
            "securitySchemes": SCHEMES,
        },
    }


def query_parameters(declared: Sequence[type[Struct]]) -> list[Schema]:
    """Returns the OpenAPI objects of query parameters."""
    return [_parameter(name, schema) for kind in declared for name, schema in _properties(kind).items()]


def _described(operation: Operation, known: dict[str, Schema]) -> Schema:
    """Returns the OpenAPI object of an operation; `known` has the schemas by the text of their type."""
    responses = {
        "200": _file(operation.media) if operation.media else _response("success", known[str(operation.success)])
    }
    scope = scope_of(operation.method, operation.path)
    denied = (401, 403, 429) if scope else (403,)  # 403: also of any request whose header Host is not allowed
    slow = {408} if operation.body else set()
    for status in sorted({*denied, *slow, *operation.failures}):
        responses[str(status)] = _response("see `message` and `field`", known[str(Failure)])
    if issubclass(operation.read, POLLED):
        responses["304"] = {"description": "the answer has not changed since the one named by `If-None-Match`"}
    names = re.findall(r"{(\w+)}", operation.path)
    fields = _properties(operation.path_type or operation.read) if names else {}
    if missing := set(names) - set(fields):
        raise TypeError(f"{operation.path}: {operation.read.__name__} has no field for {', '.join(missing)}")
    in_path = [{"name": name, "in": "path", "required": True, "schema": fields[name]} for name in names]
    described: Schema = {
        "summary": operation.summary,
        "parameters": [*operation.headers, *in_path, *query_parameters(operation.parameters)],
        "responses": responses,
        "security": security(scope) if scope else [],
    }
    if operation.body:
        content = {media: {"schema": known[str(kind)]} for media, kind in operation.body.items()}
        described["requestBody"] = {"required": True, "content": content}
    return described


def _response(description: str, schema: Schema) -> Schema:
    return {"description": description, "content": {JSON: {"schema": schema}}}


def _file(media: Sequence[str]) -> Schema:
    return {"description": "a file", "content": {one: {"schema": {"type": "string"}} for one in media}}


def _properties(kind: type[Struct]) -> Schema:
    _, components = msgspec.json.schema_components([kind], ref_template=REF)
    properties: Schema = components[kind.__name__]["properties"]
    return properties


def _parameter(name: str, schema: Schema) -> Schema:
    """Returns a query parameter. Without a default it is simply left out: it cannot be null. An empty value counts as
    not given."""
    described: Schema = {"name": name, "in": "query"}
    if "description" in schema:
        described["description"] = schema["description"]
    plain = {key: value for key, value in schema.items() if key not in ("description", "anyOf")}
    for choice in schema.get("anyOf", []):
        plain |= choice if choice != {"type": "null"} else {}
    if plain.get("default", 0) is None:
        del plain["default"]
    for one in (plain, plain.get("items", {})):  # `allowEmptyValue` is not about one of several values
        if "enum" in one:
            one["enum"] = ["", *one["enum"]]
        if "pattern" in one:
            one["pattern"] = f"^$|{one['pattern']}"
        one.pop("minLength", None)
    return described | {"schema": plain}


def _refusing(name: str, schema: Schema) -> Schema:
    """Adds what a struct cannot declare, because the service says in words of its own what is wrong."""
    if name == "ErrorReport":
        properties = schema["properties"] | {"worker_id": TEXT}
        properties["event_id"] = {"anyOf": [TEXT | {"maxLength": MAX_EVENT_ID}, {"type": "null"}], "default": None}
        either = [{"required": [one], "properties": {one: TEXT}} for one in ("message", "type")]
        return schema | {"properties": properties, "required": ["worker_id"], "anyOf": either}
    if name == "DeleteRequest":
        properties = {
            field: one | {"minItems": 1} if one.get("type") == "array" else one
            for field, one in schema["properties"].items()
        }
        return schema | {"properties": properties}
    return schema


def _unwrapped(schema: Schema) -> Schema:
    """Returns the schema of a struct with its docstring as plain paragraphs."""
    if "description" not in schema:
        return schema
    paragraphs = schema["description"].split("\n\n")
    return schema | {"description": "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)}


def _members(kind: Any) -> tuple[Any, ...]:
    """Returns the members of a union, or the type itself."""
    return getattr(kind, "__args__", ()) if isinstance(kind, type(int | None)) else (kind,)
