"""The API, described: OpenAPI 3.1. A test holds it against the routes and against real answers."""

from typing import Any, Final

import msgspec

from exporter import __version__
from exporter.events.event import CONTEXTS, SEVERITIES
from exporter.events.report import ErrorReport
from exporter.live.hub import MAX_TIME_RANGE
from exporter.store.filters import GROUPS

Schema = dict[str, Any]
TEXT: Final[Schema] = {"type": "string"}
COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
TIME: Final[Schema] = {"type": "string", "format": "date-time"}
SEVERITY: Final[Schema] = {"enum": list(SEVERITIES)}
STATUS: Final[Schema] = {"enum": ["critical", "warning", "stable"]}
FACETS: Final = ("severity", "category", "worker", "type", "hardware")
NUMBER: Final[Schema] = {"type": ["number", "null"]}


def document() -> Schema:
    """The whole description, as one JSON object."""
    _, components = msgspec.json.schema_components([ErrorReport], ref_template="#/components/schemas/{name}")
    return {
        "openapi": "3.1.0",
        "info": {"title": "Error Visualization", "version": __version__},
        "paths": _paths(),
        "components": {"schemas": components | _schemas()},
    }


def _object(required: Schema, **optional: Schema) -> Schema:
    return {"type": "object", "properties": required | optional, "required": list(required)}


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _schemas() -> dict[str, Schema]:
    outcome = _object(
        {
            "id": COUNT,
            "event_id": TEXT,
            "severity": {"enum": list(SEVERITIES)},
            "reasons": _list(TEXT),
            "fingerprint": TEXT,
        }
    )
    error = _object(
        outcome["properties"]
        | {
            "timestamp": TIME, "received_at": TIME, "worker_id": TEXT, "type": TEXT, "error_category": TEXT,
            "message": TEXT, "traceback": {"type": ["string", "null"]}, "system_context": {}, "hardware_context": {},
            "error_frequency": {}, "is_recurring": {"type": "boolean"}, "is_critical": {"type": "boolean"},
            "is_system_critical": {"type": "boolean"}, "is_hardware_error": {"type": "boolean"},
        },
        truncated=_list({"enum": ["message", "traceback", *CONTEXTS]}),
        report={"type": "object", "description": "the report as it was sent; only of a single error"},
    )  # fmt: skip
    pattern = _object(
        {
            "pattern": TEXT, "occurrences": COUNT, "category": TEXT, "first_seen": TIME, "last_seen": TIME,
            "fingerprint": TEXT, "workers": COUNT, "trend": _list(COUNT), "type": TEXT, "critical": COUNT,
        },
        worker_stats=_list(_object({"worker_id": TEXT, "errors": COUNT, "last_seen": TIME})),
        recent_errors=_list(_ref("Error")),
    )  # fmt: skip
    return {
        "Outcome": outcome,
        "Error": error,
        "Pattern": pattern,
        "Overview": _overview(),
        "Failure": _object({"status": {"enum": ["error", "partial"]}, "message": TEXT, "field": TEXT}, data={}),
    }


def _overview() -> Schema:
    names = (
        "total_errors", "recurring_errors", "resource_errors", "network_errors", "hardware_errors",
        "critical_hardware_errors", "critical_errors", "warning_errors", "info_errors", "worker_errors", "test_errors",
        "time_range_hours",
    )  # fmt: skip
    worker = _object({"worker_id": TEXT, "error_count": COUNT, "critical_errors": COUNT, "most_common_error": TEXT,
                      "last_error_time": TIME, "status": STATUS})  # fmt: skip
    metrics = dict.fromkeys(("cpu_percent", "memory_percent", "disk_percent", "max_gpu_celsius"), NUMBER)
    hardware = _object({"error_count": COUNT, "error_rate": {"type": "number"}, "most_common_error": TEXT,
                        "status": STATUS, "critical_errors": COUNT, "metrics": _object({}, **metrics)})  # fmt: skip
    counted = (*SEVERITIES, "resource", "network", "critical_hardware", "recurring")
    point = _object({"timestamp": TIME, **dict.fromkeys(counted, COUNT)})
    category = _object({"category": TEXT, **dict.fromkeys(("patterns", "recurring_patterns", "occurrences"), COUNT)})
    distribution = _object(
        {
            "categories": _list(_object({"category": TEXT, "count": COUNT})),
            "other_categories": _object({"categories": COUNT, "count": COUNT}),
            "severities": _list(_object({"severity": SEVERITY, "count": COUNT})),
            "time_series": _object({"bucket_seconds": COUNT, "points": _list(point)}),
        }
    )
    counts = dict.fromkeys(("window_seconds", "critical_errors", "workers", "top_worker_errors"), COUNT)
    since_reset = {"type": ["integer", "null"]}
    now = _object(counts | {"top_worker": {"type": ["string", "null"]}, "critical_errors_since_reset": since_reset})
    return _object(
        {
            "summary": _object(dict.fromkeys(names, COUNT), reset_at={"type": ["string", "null"]}),
            "timestamp": TIME,
            "now": now,
            "seq": COUNT,
            "recent_errors": _list(_ref("Error")),
            "error_distribution": distribution,
            "error_patterns": _object({"top_patterns": _list(_ref("Pattern")), "categories": _list(category)}),
            "worker_errors": _object({"worker_stats": _list(worker)}),
            "hardware_errors": _object(
                {
                    "hardware_status": {"type": "object", "additionalProperties": hardware},
                    "recent_errors": _list(_ref("Error")),
                }
            ),
        }
    )


def _paths() -> Schema:
    range_ = _parameter("time_range", {"type": "integer", "minimum": 1, "maximum": MAX_TIME_RANGE, "default": 24})
    limit = _parameter("limit", {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100})
    many = [_parameter(name, _list(TEXT)) for name in FACETS]
    many.append(_parameter("group", _list({"enum": list(GROUPS)})))
    single = [_parameter(name, TEXT) for name in ("fingerprint", "q")]
    facet = _list(_object({"value": TEXT, "count": COUNT}))
    cursor = _parameter("cursor", TEXT)
    key = {"name": "Idempotency-Key", "in": "header", "schema": TEXT, "description": "as `event_id`"}
    page = _object({"errors": _list(_ref("Error")), "next_cursor": {"type": ["string", "null"]}})
    result = _object({"index": COUNT, "status": TEXT}, data=_ref("Outcome"), message=TEXT, field=TEXT, code=COUNT)
    batch = _object({"stored": COUNT, "failed": COUNT, "results": _list(result)})
    sent = {"application/json": {"schema": _list(_ref("ErrorReport"))}, "application/x-ndjson": {"schema": TEXT}}
    list_ = _operation("Single errors", page, [range_, limit, *many, *single, cursor], (400, 503))
    patterns = _object({"patterns": _list(_ref("Pattern"))})
    metrics = {"summary": "Prometheus text or OpenMetrics", "responses": {"200": {"description": "metrics"}}}
    return {
        "/api/report-error": {"post": _operation("Report an error", _ref("Outcome"), [key], (400, 403, 413, 415, 503),
                                                 body={"application/json": {"schema": _ref("ErrorReport")}})},
        "/api/report-errors": {"post": _operation("Report many errors", batch, [], (207, 400, 403, 413, 415, 503),
                                                  body=sent)},
        "/api/reset-counts": {"post": _operation("Count from now on", _object({"reset_at": TIME}), [], (403, 503))},
        "/api/errors": {"get": _operation("All that the page shows", _ref("Overview"), [range_], (400, 503))},
        "/api/errors/list": {"get": list_},
        "/api/errors/facets": {"get": _operation("Values to filter by", _object(dict.fromkeys(FACETS, facet)),
                                                 [range_, *many, *single], (400, 503))},
        "/api/errors/{id}": {"get": _operation("One error", _ref("Error"), [_in_path("id")], (404, 503))},
        "/api/patterns": {"get": _operation("The most frequent patterns",
                                            patterns, [range_, limit], (400, 503))},
        "/api/patterns/{fingerprint}": {"get": _operation("One pattern", _ref("Pattern"),
                                                          [_in_path("fingerprint"), range_], (400, 404, 503))},
        "/api/openapi.json": {"get": {"summary": "This", "responses": {"200": {"description": "OpenAPI 3.1"}}}},
        "/metrics": {"get": metrics},
        "/-/healthy": {"get": _operation("The process answers", _object({}), [], ())},
        "/-/ready": {"get": _operation("A report could be committed now", _object({}), [], (503,))},
    }  # fmt: skip


def _parameter(name: str, schema: Schema) -> Schema:
    return {"name": name, "in": "query", "schema": schema}


def _in_path(name: str) -> Schema:
    return {"name": name, "in": "path", "required": True, "schema": TEXT}


def _operation(
    summary: str, data: Schema, parameters: list[Schema], failures: tuple[int, ...], body: Schema | None = None
) -> Schema:
    good = _object({"status": {"const": "success"}, "data": data}, message=TEXT)
    responses = {"200": {"description": "success", "content": {"application/json": {"schema": good}}}}
    for status in failures:
        content = {"application/json": {"schema": _ref("Failure")}}
        responses[str(status)] = {"description": "see message and field", "content": content}
    operation: Schema = {"summary": summary, "parameters": parameters, "responses": responses}
    return operation | ({"requestBody": {"required": True, "content": body}} if body else {})
