"""The OpenAPI document matches the routes, real answers, the parsing of parameters, and the reference in docs/."""

import datetime as dt
import importlib.util
import json
from typing import Any

import jsonschema
import pytest
from aiohttp import hdrs
from conftest import REPORT, ROOT, InProcess

from exporter.app import API, PAGE
from exporter.http.openapi import document

pytestmark = pytest.mark.dashboard
Schema = dict[str, Any]
SUMMARY = {"run": {"id": "nightly/7"}, "worker_id": "w", "workers": {"gw0": {"passed": ["t"], "failed": ["u"]}}}
TYPES: Schema = document()["components"]["schemas"]


def schema_of(path: str, method: str, status: int) -> Schema:
    return document()["paths"][path][method]["responses"][str(status)]["content"]["application/json"]["schema"]


def undeclared(answer: Any, schema: Schema, place: str = "$") -> list[str]:
    """The places in `answer` of fields that the schema does not declare."""
    if "$ref" in schema:
        return undeclared(answer, TYPES[schema["$ref"].rpartition("/")[2]], place)
    for choice in schema.get("anyOf", ()):
        if answer is not None and choice != {"type": "null"}:
            return undeclared(answer, choice, place)
    if isinstance(answer, list):
        return [found for item in answer for found in undeclared(item, schema.get("items", {}), f"{place}[]")]
    if not isinstance(answer, dict):
        return []
    known = schema.get("properties", {})
    free = {} if "properties" not in schema else None  # an object without declared fields may have any fields
    others = schema.get("additionalProperties", free)
    return [
        found
        for name, value in answer.items()
        for found in (
            [f"{place}.{name}"]
            if name not in known and others is None
            else undeclared(value, known.get(name, others), f"{place}.{name}")
        )
    ]


def check(path: str, method: str, status: int, answer: Any) -> None:
    schema = schema_of(path, method, status)
    jsonschema.Draft202012Validator(schema | {"components": {"schemas": TYPES}}).validate(answer)
    assert undeclared(answer, schema) == []


async def test_the_document_has_every_route(service: InProcess) -> None:
    async with service.client.get("/api/openapi.json") as response:
        described = await response.json()
    assert described == json.loads(json.dumps(document()))
    assert described["openapi"].startswith("3.1")
    routes = {(route.path, route.method.lower()) for route in API}
    assert {(path, method) for path, methods in described["paths"].items() for method in methods} == routes
    assert not {route.path for route in PAGE} & set(described["paths"])


async def test_it_holds_for_real_answers(service: InProcess) -> None:
    report = {"message": "x" * 9000, "hardware_context": {"hardware_type": "cuda"},
              "run": {"id": "nightly/7"}, "test": {"id": "t"}, "devices": [{"uuid": "GPU-1"}],
              "system_context": {"metrics": {"cpu": {"percent": 99}}}}  # fmt: skip
    id_ = (await service.post(report))["id"]
    stored = await service.get(f"/api/errors/{id_}")
    fingerprint, worker = stored["fingerprint"], stored["worker_id"]
    other = (await service.post({"message": "y"}))["fingerprint"]
    one, two = "/api/patterns/{id}/merge", "/api/patterns/{id}/split"
    undo = "/api/patterns/decisions/{number}/undo"
    for path, id_of, body in (
        (one, fingerprint, {"into": other}),
        (two, other, {}),
        (two, other, {}),
        (one, "none", {"into": other}),
        (one, other, {}),
        (one, other, {"into": other}),
        (undo, "", {}),
        (undo, "", {}),
    ):
        real = path.replace("{id}", id_of).replace("{number}", "1")
        async with service.client.post(real, json=body) as response:
            check(path, "post", response.status, await response.json())
    for path, body in STATES:
        for id_of in (fingerprint, "none"):
            async with service.client.post(path.replace("{id}", id_of), json=body) as response:
                check(path, "post", response.status, await response.json())
    asked = {
        "/api/errors": ["", "?time_range=x"], "/api/errors/list": ["", "?limit=0"], "/api/errors/{id}": ["", "?x=y"],
        "/api/errors/facets": ["", "?limit=1", "?facet=worker&contains=x", "?contains=e"], "/api/patterns": ["", "?limit=0"],
        "/api/patterns/{id}": ["", "?time_range=0", f"?compare={other}"], "/api/patterns/decisions": ["", "?x=y"], "/-/healthy": [""], "/-/ready": [""],
        "/api/runs": ["", "?limit=0"], "/api/runs/{id}": ["", "?after=-1"], "/api/rankings": ["", "?by=run", "?by=x"],
        "/api/verdict": ["", "?x=y"], "/api/patterns/{id}/state": ["", "?x=y"], "/api/audit": ["", "?limit=0", "?limit=1"],
        "/api/workers": ["", "?limit=0", "?sort=silent_since"], "/api/workers/{id}": ["", "?x=y"],
        "/api/heartbeats": ["", "?limit=0"],
    }  # fmt: skip
    for path, queries in asked.items():
        for query in queries:
            real = path.replace(
                "{id}",
                fingerprint
                if "patterns" in path
                else "nightly%2F7"
                if "runs" in path
                else worker
                if "workers" in path
                else str(id_),
            )
            async with service.client.get(real + query) as response:
                check(path, "get", response.status, await response.json())
    posts = [("/api/report-error", b"{}", "application/json"), ("/api/report-errors", b"[{}]", "application/json"),
             ("/api/report-error", json.dumps(REPORT).encode(), "application/json"), ("/api/reset-counts", b"", "x/y"), ("/-/reload", b"", "x/y"),
             ("/api/runs", b"{}", "application/json"), ("/api/runs", json.dumps(SUMMARY).encode(), "application/json"),
             ("/api/heartbeat", b"{}", "application/json"), ("/api/heartbeat", b'{"worker_id": "w", "gpus": []}', "application/json"),
             ("/api/report-errors", json.dumps([REPORT, {}]).encode(), "application/json"),
             ("/api/report-errors", json.dumps(REPORT).encode(), "application/x-ndjson")]  # fmt: skip
    for path, body, type_ in posts:
        async with service.client.post(path, data=body, headers={hdrs.CONTENT_TYPE: type_}) as response:
            check(path, "post", response.status, await response.json())
    async with service.client.get("/api/errors") as response:  # now with `reset_at`
        check("/api/errors", "get", response.status, await response.json())


STATES = [
    ("/api/patterns/{id}/claim", {"by": "Ana"}), ("/api/patterns/{id}/resolve", {"by": "Ana"}), ("/api/patterns/{id}/mute", {"by": "Ana"}),
    ("/api/patterns/{id}/mute", {"by": "Ana", "errors": 3}), ("/api/patterns/{id}/reopen", {"by": "Ana"}),
    ("/api/patterns/{id}/note", {"by": "Ana", "text": "seen"}), ("/api/patterns/{id}/note", {"by": "Ana", "text": ""}),
    ("/api/patterns/{id}/reopen", {"by": "Ana"}), ("/api/workers/{id}/undrain", {"by": "Ana"}), ("/api/workers/{id}/drain", {"by": "Ana"}),
]  # fmt: skip


def test_an_undeclared_field_is_found() -> None:
    page = {"status": "success", "data": {"errors": [{"id": 1, "colour": "red"}], "next_cursor": None}}
    assert undeclared(page, schema_of("/api/errors/list", "get", 200)) == ["$.data.errors[].colour"]


def a_minute_ago() -> str:
    return (dt.datetime.now(dt.UTC) - dt.timedelta(minutes=1)).isoformat()


def wrong_and_right(schema: Schema) -> tuple[list[Any], list[Any]]:
    """Values that a parameter must refuse, and values that it must accept."""
    if schema.get("type") == "array":
        return wrong_and_right(schema["items"])
    if "enum" in schema:
        return ["nothing"], schema["enum"]
    if schema.get("type") == "integer":
        least, most = schema["minimum"], schema["maximum"]
        return [least - 1, most + 1, "1.5", "x", ""], [least, most, schema.get("default", least)]
    if schema.get("format") == "date-time":
        return ["x", "2026-11-25T22:00:00", "0001-01-01T00:00:00Z"], [a_minute_ago()]
    if "maxLength" in schema:
        return ["x" * (schema["maxLength"] + 1)], ["x" * schema["maxLength"]]
    return [], ["x"]


async def test_parameters_are_parsed_as_described(service: InProcess) -> None:
    tried = 0
    for path, methods in document()["paths"].items():
        for parameter in methods.get("get", {}).get("parameters", []):
            name = parameter["name"]
            if parameter["in"] != "query" or "{" in path or name == "cursor":
                continue
            wrong, right = wrong_and_right(parameter["schema"])
            for value in wrong:
                assert (await service.get(path, 400, **{name: value}))["field"] == name
            more = {"by": "worker"} if (path, name) == ("/api/history", "value") else {}
            for value in right:
                async with service.client.get(path, params={name: value, **more}) as response:
                    assert response.status == 200, (path, name, value)
            tried += 1
    assert tried > 20


def test_the_reference_is_current() -> None:
    spec = importlib.util.spec_from_file_location("api_reference", ROOT / "docs/api_reference.py")
    assert spec
    assert spec.loader
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    assert script.reference() == script.PAGE.read_text("utf-8"), "run make reference"


def test_the_search_field_of_the_page_takes_as_much_as_the_api() -> None:
    (q,) = [one for one in document()["paths"]["/api/errors/list"]["get"]["parameters"] if one["name"] == "q"]
    page = (ROOT / "exporter/page/index.html").read_text("utf-8")
    assert f'id="q" maxlength="{q["schema"]["maxLength"]}"' in page
