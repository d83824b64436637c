"""The OpenAPI objects of the requests of other protocols. Their bodies and answers are described by the protocols
themselves, so only the content types are declared; refusals have our own shape."""

from typing import Any, Final, NamedTuple

from msgspec import Struct

Schema = dict[str, Any]
TEXT: Final[Schema] = {"type": "string"}
BYTES: Final[Schema] = {"type": "string", "format": "binary"}
OBJECT: Final[Schema] = {"type": "object"}
PROJECT: Final[Schema] = {
    "name": "project", "in": "path", "required": True, "description": "any name; it is kept with the error",
    "schema": {"type": "string", "minLength": 1},
}  # fmt: skip
KEY: Final[Schema] = {
    "name": "sentry_key", "in": "query", "description": "the key of the DSN: a token, where access control is on",
    "schema": {"type": "string"},
}  # fmt: skip


class AlertmanagerMessage(Struct):
    """A webhook message of Alertmanager, version 4; other fields are allowed."""

    alerts: list[dict[str, Any]]


class Foreign(NamedTuple):
    """A request of another protocol: `body` has a schema for each content type."""

    path: str
    summary: str
    answer: str
    body: dict[str, Schema]
    parameters: tuple[Schema, ...] = ()


FOREIGN: Final = (
    Foreign("/api/{project}/envelope/", "An envelope of a Sentry SDK", "the id of the event, once it is stored",
            {"application/x-sentry-envelope": TEXT, "text/plain": TEXT}, (PROJECT, KEY)),
    Foreign("/api/{project}/store/", "An event of an old Sentry SDK", "the id of the event, once it is stored",
            {"application/json": OBJECT}, (PROJECT, KEY)),
    Foreign("/v1/logs", "Log records of OpenTelemetry (OTLP/HTTP)", "ExportLogsServiceResponse, in the same encoding",
            {"application/x-protobuf": BYTES, "application/json": OBJECT}),
    Foreign("/v1/traces", "Spans of OpenTelemetry (OTLP/HTTP)", "ExportTraceServiceResponse, in the same encoding",
            {"application/x-protobuf": BYTES, "application/json": OBJECT}),
)  # fmt: skip
PATHS: Final = frozenset(one.path for one in FOREIGN)
FAILURES: Final = (400, 401, 403, 408, 413, 415, 429, 503)


def foreign_operations(security: list[Schema], failure: Schema) -> Schema:
    """Returns the OpenAPI objects by path. `failure` is the response of a refusal."""
    return {
        one.path: {
            "post": {
                "summary": one.summary,
                "parameters": list(one.parameters),
                "requestBody": {
                    "required": True,
                    "content": {media: {"schema": body} for media, body in one.body.items()},
                },
                "responses": {
                    "200": {"description": one.answer},
                    **{str(status): failure for status in FAILURES},
                },
                "security": security,
            }
        }
        for one in FOREIGN
    }
