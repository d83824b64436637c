"""Reads requests of OTLP/HTTP, `POST /v1/logs` and `POST /v1/traces`, in both encodings, and writes their answers.

    ExportLogsServiceRequest    resource_logs[] ─► scope_logs[] ─► log_records[]
    ExportTraceServiceRequest   resource_spans[] ─► scope_spans[] ─► spans[] ─► events[] with the name `exception`

JSON has the same fields in lowerCamelCase, 64-bit numbers as texts, and ids in hexadecimal.
"""

import base64
from collections.abc import Iterator, Sequence
from typing import Any, Final, Literal

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from exporter.protocols.json_value import MessageError, object_of, objects_of, read_object, text_of
from exporter.protocols.otel import Record

Signal = Literal["logs", "traces"]
MAX_RECORDS: Final = 20_000  # records or span events of one request
MAX_DEPTH: Final = 16  # of the value of an attribute
_PLAIN: Final = ("string_value", "bool_value", "int_value", "double_value")


def read_protobuf(body: bytes, signal: Signal) -> list[Record]:
    """Returns the log records, or the exceptions of spans. Raises `MessageError`."""
    message: Any = ExportLogsServiceRequest() if signal == "logs" else ExportTraceServiceRequest()
    try:
        message.ParseFromString(body)
    except DecodeError:
        raise MessageError(f"not the protobuf message {type(message).__name__}") from None
    return _limited(_logs_of(message) if signal == "logs" else _exceptions_of(message))


def read_json_records(body: bytes, signal: Signal) -> list[Record]:
    """As `read_protobuf`, of JSON."""
    sent = read_object(body)
    return _limited(_json_logs(sent) if signal == "logs" else _json_exceptions(sent))


def protobuf_answer(signal: Signal, rejected: int, why: str) -> bytes:
    """Returns the answer to a request of which `rejected` records cannot be stored."""
    if signal == "logs":
        logs = ExportLogsServiceResponse()
        if rejected:
            logs.partial_success.rejected_log_records = rejected
            logs.partial_success.error_message = why
        return bytes(logs.SerializeToString())
    traces = ExportTraceServiceResponse()
    if rejected:
        traces.partial_success.rejected_spans = rejected
        traces.partial_success.error_message = why
    return bytes(traces.SerializeToString())


def json_answer(signal: Signal, rejected: int, why: str) -> dict[str, Any]:
    """As `protobuf_answer`, for JSON."""
    name = "rejectedLogRecords" if signal == "logs" else "rejectedSpans"
    return {"partialSuccess": {name: str(rejected), "errorMessage": why}} if rejected else {}


def _limited(records: Iterator[Record]) -> list[Record]:
    found: list[Record] = []
    for one in records:
        if len(found) >= MAX_RECORDS:
            raise MessageError(f"more than {MAX_RECORDS} records in one request; send smaller batches")
        found.append(one)
    return found


def _logs_of(message: Any) -> Iterator[Record]:
    for of_resource in message.resource_logs:
        resource = _attributes(of_resource.resource.attributes)
        for of_scope in of_resource.scope_logs:
            for one in of_scope.log_records:
                yield Record(
                    resource, _attributes(one.attributes), _value(one.body),
                    one.time_unix_nano or one.observed_time_unix_nano, one.severity_number, one.severity_text,
                    of_scope.scope.name, (one.trace_id.hex()[:32], one.span_id.hex()[:16]),
                )  # fmt: skip


def _exceptions_of(message: Any) -> Iterator[Record]:
    for of_resource in message.resource_spans:
        resource = _attributes(of_resource.resource.attributes)
        for of_scope in of_resource.scope_spans:
            for span in of_scope.spans:
                of_span = None
                for one in span.events:
                    if one.name != "exception":
                        continue
                    of_span = _attributes(span.attributes) if of_span is None else of_span
                    yield Record(
                        resource, of_span | _attributes(one.attributes), None, one.time_unix_nano, 0, "",
                        of_scope.scope.name, (span.trace_id.hex()[:32], span.span_id.hex()[:16]), span.name or "span",
                    )  # fmt: skip


def _attributes(pairs: Any) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: Any, depth: int = MAX_DEPTH) -> Any:
    """Returns an `AnyValue` as JSON has it."""
    kind = value.WhichOneof("value")
    if kind in _PLAIN:
        return getattr(value, kind)
    if kind == "bytes_value":
        return base64.b64encode(value.bytes_value).decode()
    if kind is None or depth <= 0:
        return None
    if kind == "array_value":
        return [_value(one, depth - 1) for one in value.array_value.values]
    if kind == "kvlist_value":
        return {pair.key: _value(pair.value, depth - 1) for pair in value.kvlist_value.values}
    return None


def _json_logs(sent: dict[str, Any]) -> Iterator[Record]:
    for of_resource in _items(sent, "resourceLogs"):
        resource = _json_attributes(object_of(of_resource.get("resource")))
        for of_scope in _items(of_resource, "scopeLogs"):
            scope = text_of(object_of(of_scope.get("scope")).get("name"))
            for one in _items(of_scope, "logRecords"):
                yield Record(
                    resource, _json_attributes(one), _json_value(_field(one, "body")),
                    _number(_field(one, "timeUnixNano")) or _number(_field(one, "observedTimeUnixNano")),
                    _number(_field(one, "severityNumber")), text_of(_field(one, "severityText")), scope, _json_ids(one),
                )  # fmt: skip


def _json_exceptions(sent: dict[str, Any]) -> Iterator[Record]:
    for of_resource in _items(sent, "resourceSpans"):
        resource = _json_attributes(object_of(of_resource.get("resource")))
        for of_scope in _items(of_resource, "scopeSpans"):
            scope = text_of(object_of(of_scope.get("scope")).get("name"))
            for span in _items(of_scope, "spans"):
                exceptions = [one for one in _items(span, "events") if one.get("name") == "exception"]
                of_span = _json_attributes(span) if exceptions else {}
                for one in exceptions:
                    yield Record(
                        resource, of_span | _json_attributes(one), None, _number(_field(one, "timeUnixNano")), 0, "",
                        scope, _json_ids(span), text_of(span.get("name")) or "span",
                    )  # fmt: skip


def _field(sent: dict[str, Any], name: str) -> Any:
    """Returns a field by its JSON name, or by its name in protobuf, which readers of protobuf JSON accept, too."""
    if name in sent:
        return sent[name]
    return sent.get("".join([f"_{one.lower()}" if one.isupper() else one for one in name]))


def _items(sent: dict[str, Any], name: str) -> Sequence[dict[str, Any]]:
    return objects_of(_field(sent, name))


def _json_attributes(sent: dict[str, Any]) -> dict[str, Any]:
    return {text_of(pair.get("key")): _json_value(pair.get("value")) for pair in _items(sent, "attributes")}


def _json_value(value: Any, depth: int = MAX_DEPTH) -> Any:
    if not isinstance(value, dict) or depth <= 0:
        return None
    for name in ("stringValue", "boolValue", "doubleValue", "bytesValue"):
        if (found := _field(value, name)) is not None:
            return found if isinstance(found, str | int | float) else None
    if (found := _field(value, "intValue")) is not None:
        return _number(found)
    if (found := _field(value, "arrayValue")) is not None:
        return [_json_value(one, depth - 1) for one in objects_of(found)]
    if (found := _field(value, "kvlistValue")) is not None:
        return {text_of(pair.get("key")): _json_value(pair.get("value"), depth - 1) for pair in objects_of(found)}
    return None


def _json_ids(sent: dict[str, Any]) -> tuple[str, str]:
    return text_of(_field(sent, "traceId"))[:32], text_of(_field(sent, "spanId"))[:16]


_SEVERITIES: Final = {
    f"SEVERITY_NUMBER_{name}{step or ''}": first + max(step - 1, 0)
    for name, first in (("TRACE", 1), ("DEBUG", 5), ("INFO", 9), ("WARN", 13), ("ERROR", 17), ("FATAL", 21))
    for step in (0, 2, 3, 4)
}


def _number(value: Any) -> int:
    """Returns a whole number, which JSON may have as a text or as the name of a severity; 0 for anything else."""
    if isinstance(value, str):
        if value in _SEVERITIES:
            return _SEVERITIES[value]
        return int(value) if len(value) <= 20 and value.isascii() and value.removeprefix("-").isdecimal() else 0
    return int(value) if isinstance(value, int | float) and abs(value) < 2**64 else 0
