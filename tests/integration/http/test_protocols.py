"""Requests of other protocols: who may send them, what is stored, how each is answered and counted."""

import asyncio
import gzip
import json
import time
from pathlib import Path
from typing import Any

import pytest
from conftest import InProcess
from keys import bearer, make_token
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse

from exporter.http import foreign_reports
from exporter.http.sentry import UNWANTED
from exporter.ingest.ingest import Ingest, QueueFullError
from exporter.log import LogError
from exporter.service import Service

pytestmark = pytest.mark.dashboard
LOGGED = time.time_ns()  # lists are of the last day, if nothing is said
ID = "9ec79c33ec9942ab8353589fcb2e04dc"
LIMITS = "X-Sentry-Rate-Limits"
EVENT = {"event_id": ID, "message": "no device", "server_name": "w1", "extra": {"password": "hunter2"}}
JUNIT = '<testsuite name="s" hostname="h"><testcase name="a"/><testcase name="b" time="1"><failure message="ValueError: no"/></testcase></testsuite>'


def envelope(event: Any = EVENT, header: Any = None, *more: str) -> bytes:
    lines = [json.dumps(header or {"event_id": ID}), '{"type":"event"}', json.dumps(event), *more]
    return "\n".join(lines).encode()


async def send(service: InProcess, path: str, body: bytes, status: int = 200, **headers: str) -> Any:
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    async with service.client.post(path, data=body, headers=headers) as response:
        answer = await response.read()
        assert response.status == status, answer
        if "envelope" in path and status not in (401, 403):
            assert response.headers[LIMITS].endswith(UNWANTED)
        return json.loads(answer), response.headers


def log_records(*bodies: str, **resource: str) -> bytes:
    message: Any = ExportLogsServiceRequest()
    one = message.resource_logs.add()
    for key, value in resource.items():
        one.resource.attributes.add(key=key).value.string_value = value
    scope = one.scope_logs.add()
    for number, body in enumerate(bodies, 1):
        scope.log_records.add(severity_number=17, time_unix_nano=LOGGED + number).body.string_value = body
    return bytes(message.SerializeToString())


async def errors(service: InProcess) -> list[Any]:
    listed = (await service.get("/api/errors/list", limit="500", time_range="168"))["errors"]
    return [await service.get(f"/api/errors/{one['id']}") for one in listed]


async def test_an_event_is_stored_once_and_redacted(service: InProcess) -> None:
    for path, body in (
        ("/api/1/envelope/", envelope()), ("/api/1/envelope/", envelope()), ("/api/other/store/", json.dumps(EVENT).encode())
    ):  # fmt: skip
        answer, headers = await send(service, path, body)
        assert answer == {"id": ID}
        assert headers[LIMITS] == UNWANTED
    (error,) = await errors(service)
    assert error["message"] == "no device"
    assert error["event_id"] == ID
    assert "hunter2" not in json.dumps(error)
    assert error["report"]["sentry"]["project"] == "1"


async def test_what_is_no_event_is_counted_and_answered(service: InProcess) -> None:
    lost = {"discarded_events": [{"reason": "queue_overflow", "category": "error", "quantity": 3}]}
    body = envelope(EVENT, None, '{"type":"client_report"}', json.dumps(lost), '{"type":"transaction"}', "{}")
    await send(service, "/api/1/envelope/", body)
    only = b'{}\n{"type":"session"}\n{}'
    assert (await send(service, "/api/1/envelope/", only))[0] == {"id": ""}
    metrics = await service.metrics()
    prefix = "distributed_testing_"
    assert metrics[prefix + 'reports_lost_at_client_total{reason="queue_overflow"}'] == 3
    assert metrics[prefix + 'items_skipped_total{protocol="sentry"}'] == 2
    assert metrics[prefix + 'reports_received_total{protocol="sentry"}'] == 1


@pytest.mark.parametrize(
    ("path", "body", "headers", "status"),
    [
        ("/api/1/envelope/", b"nonsense", {}, 400),
        ("/api/1/envelope/", envelope([]), {}, 400),
        ("/api/1/store/", b"{", {}, 400),
        ("/api/1/envelope/", b"\x1f\x8bx", {"Content_Encoding": "gzip"}, 400),
        ("/api/1/envelope/", b"x", {"Content_Encoding": "lzma"}, 415),
        ("/api/1/envelope/", gzip.compress(bytes(10_000_000)), {"Content_Encoding": "gzip"}, 413),
        ("/api/1/envelope/", envelope(), {"Origin": "https://evil.example"}, 403),
        ("/v1/logs", b"\xff\xff\xff", {"Content_Type": "application/x-protobuf"}, 400),
        ("/v1/traces", b"{", {"Content_Type": "application/json"}, 400),
        ("/v1/logs", b"", {"Content_Type": "text/plain"}, 415),
        ("/api/alerts", b"{}", {"Content_Type": "application/json"}, 400),
        ("/api/junit", b"nonsense", {}, 400),
        ("/api/junit?wrker=x", JUNIT.encode(), {}, 400),
        ("/api/junit?run=" + "x" * 300, JUNIT.encode(), {}, 400),
    ],
)  # fmt: skip
async def test_what_is_refused(
    service: InProcess, path: str, body: bytes, headers: dict[str, str], status: int
) -> None:
    answer, _ = await send(service, path, body, status, **headers)
    assert answer["status"] == "error"
    assert answer["message"]
    assert await errors(service) == []


async def test_the_key_of_a_dsn_is_a_token(serve: Any, tmp_path: Path) -> None:
    token, reader = make_token(tmp_path, "one", "report", worker="w"), make_token(tmp_path, "two", "read")
    service: InProcess = await serve()
    path = "/api/1/envelope/"
    dsn = {"event_id": ID, "dsn": f"https://{token}@example.com/1"}
    await send(service, path, envelope(), 401)
    await send(service, path, envelope(), 401, X_Sentry_Auth="Sentry sentry_version=7")
    await send(service, path + "?sentry_key=wrong", envelope(EVENT, dsn), 401)
    await send(service, path, envelope(EVENT, {"dsn": "https://[/1"}), 401)
    await send(service, path, b"nonsense", 401)
    await send(service, path + f"?sentry_key={reader}", envelope(), 403)
    for sent in (
        {"path": f"{path}?sentry_key={token}", "body": envelope()},
        {"path": path, "body": envelope(EVENT, dsn)},
        {"path": path, "body": gzip.compress(envelope(EVENT, dsn)), "Content_Encoding": "gzip"},
        {"path": path, "body": envelope(), "X_Sentry_Auth": f"Sentry sentry_version=7, sentry_key={token}, sentry_client=x"},
        {"path": path, "body": envelope(), **bearer(token)},
        {"path": f"/api/1/store/?sentry_key={token}", "body": json.dumps(EVENT).encode()},
    ):  # fmt: skip
        assert (await send(service, **sent))[0] == {"id": ID}
    other = EVENT | {"server_name": "x1", "event_id": "b"}
    answer, _ = await send(service, f"{path}?sentry_key={token}", envelope(other), 403)  # of workers w… only
    assert answer["field"] == "worker_id"
    await send(service, "/v1/logs", log_records("m"), 401, Content_Type="application/x-protobuf")
    async with service.client.get("/api/errors/list", headers=bearer(reader)) as response:
        assert len((await response.json())["data"]["errors"]) == 1


async def test_a_rate_limit_is_told_in_the_words_of_each_protocol(serve: Any) -> None:
    service: InProcess = await serve(rate_limit=1.0, rate_burst=5)
    await send(service, "/api/1/envelope/", envelope())
    statuses = []
    for number in range(12):
        async with service.client.post(
            "/api/1/envelope/", data=envelope(EVENT | {"event_id": f"e{number}"})
        ) as response:
            statuses.append(response.status)
            limits = response.headers[LIMITS]
    assert statuses[-1] == 429
    assert limits == f"{limits.split(':')[0]}:error:organization:rate_limited, {UNWANTED}"
    records = log_records(*[f"record {number}" for number in range(30)], **{"host.name": "w2"})
    async with service.client.post(
        "/v1/logs", data=records, headers={"Content-Type": "application/x-protobuf"}
    ) as response:
        assert response.status == 429
        assert 1 <= int(response.headers["Retry-After"]) <= 5


async def test_records_that_cannot_be_stored_are_a_partial_success(serve: Any, tmp_path: Path) -> None:
    token = make_token(tmp_path, "one", "report", worker="w")
    service: InProcess = await serve()
    message = log_records("mine", **{"host.name": "w1"}) + log_records(
        "foreign", **{"host.name": "x1"}
    )  # protobuf joins lists
    headers = {"Content-Type": "application/x-protobuf"} | bearer(token)
    async with service.client.post("/v1/logs", data=message, headers=headers) as response:
        assert response.status == 200
        answer: Any = ExportLogsServiceResponse.FromString(await response.read())
        assert answer.partial_success.rejected_log_records == 1
        assert "workers whose id begins with 'w'" in answer.partial_success.error_message
    sent = {"resourceLogs": [{"resource": {"attributes": [{"key": "host.name", "value": {"stringValue": "x1"}}]},
                              "scopeLogs": [{"logRecords": [{"severityNumber": 17}]}]}]}  # fmt: skip
    async with service.client.post("/v1/logs", json=sent, headers=bearer(token)) as response:
        assert (await response.json())["partialSuccess"]["rejectedLogRecords"] == "1"


async def test_a_batch_of_many_records_is_stored_as_a_whole_and_once(service: InProcess) -> None:
    records = log_records(*[f"record {number}" for number in range(180)], **{"host.name": "w1"})
    for _ in range(2):
        async with service.client.post(
            "/v1/logs", data=records, headers={"Content-Type": "application/x-protobuf"}
        ) as response:
            assert (response.status, await response.read()) == (200, b"")
    assert len((await service.get("/api/errors/list", limit="500"))["errors"]) == 180


async def test_a_full_queue_is_told_in_the_words_of_each_protocol(
    service: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*_: Any) -> Any:
        raise QueueFullError

    monkeypatch.setattr(Ingest, "ingest", full)
    monkeypatch.setattr(foreign_reports, "WAIT_SECONDS", 0.0)
    _, headers = await send(service, "/api/1/envelope/", envelope(), 503)
    assert headers[LIMITS] == f"60:error:organization:queue_full, {UNWANTED}"
    _, headers = await send(service, "/v1/logs", log_records("m"), 503, Content_Type="application/x-protobuf")
    assert 1 <= int(headers["Retry-After"]) <= 5
    await send(service, "/api/junit", JUNIT.encode(), 503)
    assert (await service.metrics())['distributed_testing_reports_rejected_total{reason="queue_full"}'] == 3


async def test_not_too_many_requests_wait_for_room(service: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    async def full(*_: Any) -> Any:
        raise QueueFullError

    monkeypatch.setattr(Ingest, "ingest", full)
    monkeypatch.setattr(foreign_reports, "WAIT_SECONDS", 2.0)
    monkeypatch.setattr(foreign_reports, "MAX_WAITING", 3)
    began = asyncio.get_running_loop().time()
    took = []

    async def one() -> None:
        await send(service, "/api/1/envelope/", envelope(), 503)
        took.append(asyncio.get_running_loop().time() - began)

    await asyncio.gather(*[one() for _ in range(20)])
    assert sum(seconds > 1.9 for seconds in took) <= 3


async def test_an_alert_is_stored_once_and_our_own_never(service: InProcess) -> None:
    alert = {"status": "firing", "fingerprint": "c0", "startsAt": "2026-03-15T12:00:00Z", "labels": {"alertname": "A", "instance": "n1:9100"},
             "annotations": {"summary": "it is hot"}}  # fmt: skip
    own = alert | {"labels": {"alertname": "CriticalError", "source": "push"}}
    first = await service.ask("/api/alerts", {"alerts": [alert, own]})
    assert first["skipped"] == 1
    assert len(first["stored"]) == 1
    assert await service.ask("/api/alerts", {"alerts": [alert, own]}) == first
    (error,) = await errors(service)
    assert (error["worker_id"], error["type"], error["message"]) == ("n1", "A", "it is hot")


async def test_results_of_tests_are_stored_once(service: InProcess) -> None:
    path = "/api/junit?run=7&job=nightly&worker=ci-1&commit=1f3a9c2&url=https://ci.example/7"
    first, _ = await send(service, path, JUNIT.encode(), Content_Type="application/xml")
    assert first["data"]["counts"] == {"passed": 1, "failed": 1, "skipped": 0, "errors": 0}
    assert len(first["data"]["stored"]) == 1
    assert (await send(service, path, JUNIT.encode()))[0] == first
    (error,) = await errors(service)
    assert error["worker_id"] == "ci-1"
    assert error["report"]["run"] == {"id": "7", "job": "nightly", "commit": "1f3a9c2", "url": "https://ci.example/7"}
    assert error["report"]["test"] == {"id": "b", "attempt": 1, "outcome": "failed", "duration": 1.0}
    assert (await service.metrics())['distributed_testing_items_skipped_total{protocol="junit"}'] == 2


async def test_a_file_whose_summary_was_not_stored_is_stored_once_when_it_is_sent_again(
    service: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(*_: Any) -> None:
        raise LogError("the disk is full")

    path = "/api/junit?run=7&worker=ci-1"
    with monkeypatch.context() as broken:
        broken.setattr(Service, "add_summary", fails)
        _, headers = await send(service, path, JUNIT.encode(), 503)
        assert int(headers["Retry-After"]) > 0
    answer, _ = await send(service, path, JUNIT.encode())
    assert [error["id"] for error in await errors(service)] == answer["data"]["stored"]
    (run,) = (await service.get("/api/runs"))["runs"]
    assert (run["error_count"], run["summary"]["outcomes"]["failed"]) == (1, 1)


async def test_records_without_a_time_are_stored_once(service: InProcess) -> None:
    records = [{"severityNumber": 17, "body": {"stringValue": "m"}}] * 2
    body = json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": records}]}]}).encode()
    for _ in range(3):
        await send(service, "/v1/logs", body, Content_Type="application/json")
    assert len(await errors(service)) == 2


async def test_a_secret_in_pairs_is_redacted(service: InProcess) -> None:
    pairs = [
        ["Authorization", "Bearer hunter2Secret99"],
        ["X-Api-Key", "hunter2Secret99"],
        ["Cookie", "sid=hunter2Secret99"],
    ]
    request = {
        "headers": pairs,
        "cookies": [["sid", "hunter2Secret99"]],
        "query_string": [["api_key", "hunter2Secret99"]],
    }
    await send(service, "/api/1/envelope/", envelope(EVENT | {"request": request}))
    await send(
        service, "/api/1/envelope/", envelope({"message": "m", "request": {"cookies": {"sid": "hunter2Secret99"}}})
    )
    stored = json.dumps(await errors(service))
    assert "hunter2Secret99" not in stored
    assert "X-Api-Key" in stored


async def test_a_large_file_of_results_is_read(serve: Any) -> None:
    service: InProcess = await serve(max_body_bytes=16_777_216)
    case = '<testcase name="t{}" time="0.1"><failure message="ValueError: no {}">{}</failure></testcase>'
    body = (
        '<testsuite name="s" hostname="h">'
        + "".join(case.format(n, n, "x" * 60_000) for n in range(100))
        + "</testsuite>"
    )
    assert len(body) > 6_000_000
    answer, _ = await send(service, "/api/junit", gzip.compress(body.encode(), 1), Content_Encoding="gzip")
    assert answer["data"]["counts"]["failed"] == len(answer["data"]["stored"]) == 100
