"""hypothesis feeds the parsers of what senders write: they raise what they declare, and no input takes long.

The time is CPU time of the thread, so a busy machine does not count. `make fuzz` uses more inputs and the real bound.
"""

import asyncio
import contextlib
import gc
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote_from_bytes

import msgspec
import pytest
from aiohttp.test_utils import make_mocked_request
from events import event
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as some
from multidict import CIMultiDict

from exporter.events.cursor import parse_cursor, parse_rank
from exporter.events.report import ErrorReport
from exporter.http.bodies import parsed
from exporter.http.inflate import InflateError, TooLargeError, inflate
from exporter.http.parameters import parse
from exporter.http.responses import ApiError
from exporter.ingest.parse import ReportError, parse_report, split_reports
from exporter.live.client import Client
from exporter.live.hub import Live
from exporter.protocols.alertmanager import read_alerts
from exporter.protocols.json_value import MessageError
from exporter.protocols.junit import read_results
from exporter.protocols.otel import reports_of
from exporter.protocols.otlp import read_json_records, read_protobuf
from exporter.protocols.sentry import lost_at_client, report_of
from exporter.protocols.sentry_envelope import read_envelope
from exporter.store.decisions import MergeRequest, SplitRequest
from exporter.store.deletions import DeleteRequest
from exporter.store.parameters import (
    Comparison,
    ErrorPaging,
    ExportChoice,
    FacetChoice,
    Filters,
    HistoryChoice,
    PatternPaging,
    TimeRange,
)

pytestmark = pytest.mark.dashboard
MINUTES = float(os.environ.get("FUZZ_MINUTES", "0"))
SECONDS = 0.05 if MINUTES else 0.5  # of CPU time for one input
fuzz = settings(
    max_examples=int(MINUTES * 5_000) or 500,
    deadline=None,
    derandomize=not MINUTES,
    database=None,
    suppress_health_check=list(HealthCheck),
)

FIELDS = [
    *ErrorReport.__struct_fields__,
    "metrics",
    "cpu",
    "percent",
    "gpu_metrics",
    "devices",
    "memory",
    "disk",
    "x" * 300,
]
MESSAGE = {"worker_id": "w", "message": "CUDA out of memory", "traceback": 'Traceback\n  File "a.py", line 1, in f\nE: x',
           "timestamp": "2026-01-01T00:00:00Z", "system_context": {"metrics": {"cpu": {"percent": 12}}}}  # fmt: skip
scalars = (
    some.none() | some.booleans() | some.integers() | some.floats() | some.text(max_size=50)
    | some.sampled_from(["", "\ud800", "NaN", "1e999", "x" * 70_000, "\0", "9" * 400, "2026-01-01T00:00:00+99:99"])
)  # fmt: skip
values = some.recursive(
    scalars,
    lambda inner: some.lists(inner, max_size=5) | some.dictionaries(some.sampled_from(FIELDS) | some.text(max_size=10), inner, max_size=8),
    max_leaves=30,
)  # fmt: skip
objects = some.dictionaries(some.sampled_from(FIELDS), values, max_size=12).map(lambda one: MESSAGE | one)
nested = some.builds(
    lambda opening, many: opening * many, some.sampled_from(["[", '{"a":', "[{", "[1,"]), some.integers(1, 50_000)
)


@some.composite
def damaged(draw: Any, sources: Any) -> bytes:
    """The JSON of a value, with some bytes replaced, doubled or cut off."""
    text = json.dumps(draw(sources), ensure_ascii=draw(some.booleans())).encode("utf-8", "surrogatepass")
    for _ in range(draw(some.integers(0, 3))):
        at = draw(some.integers(0, len(text)))
        text = text[:at] + draw(some.binary(max_size=4)) + text[at + draw(some.integers(0, 5)) :]
    return text


bodies = (
    damaged(objects) | damaged(values) | some.binary(max_size=500) | nested.map(str.encode)
    | some.builds(lambda part, many: part * many, some.binary(min_size=1, max_size=6), some.integers(1, 20_000))
)  # fmt: skip


@contextlib.contextmanager
def quickly() -> Iterator[None]:
    gc.disable()  # it would look at all that hypothesis keeps
    try:
        began = time.thread_time()
        yield
        took = time.thread_time() - began
    finally:
        gc.enable()
    assert took < SECONDS, f"{took:.3f} s"


@fuzz
@given(bodies)
@example(b"{" + b'"a":{' * 20_000)
@example(b'{"worker_id":"w","message":"m","x":' + b"[" * 50_000)
def test_a_report_is_read_or_refused(body: bytes) -> None:
    with quickly(), contextlib.suppress(ReportError):
        report, text, _ = parse_report(body)
        assert report.worker_id
        text.encode()


@fuzz
@given(bodies | damaged(some.lists(objects, max_size=5)), some.booleans())
@example(b"[" * 100_000, False)
def test_a_batch_is_split_or_refused(body: bytes, ndjson: bool) -> None:
    with quickly(), contextlib.suppress(ReportError):
        assert all(isinstance(item, bytes) for item in split_reports(body, ndjson=ndjson))


@fuzz
@given(bodies, some.sampled_from(["gzip", "deflate", "br", "zstd"]))
def test_a_compressed_body_is_inflated_or_refused(body: bytes, encoding: str) -> None:
    with quickly(), contextlib.suppress(InflateError, TooLargeError):
        assert len(inflate(body, encoding, 100_000)) <= 100_000


names = some.sampled_from(
    ["severity", "category", "worker", "type", "fingerprint", "pattern", "hardware", "group", "q", "time_range", "cursor", "limit",
     "facet", "contains", "compare", "days", "by", "value", "format", "other"]
)  # fmt: skip
given_values = (
    some.binary(max_size=30).map(quote_from_bytes) | some.text(max_size=30).map(lambda text: quote_from_bytes(text.encode("utf-8", "replace")))
    | some.integers().map(str) | some.sampled_from(["critical", "24", "0", "-1", "٣", "1e3", "%", "%zz", "a" * 5_000])
)  # fmt: skip


@fuzz
@given(some.lists(some.tuples(names, given_values), max_size=8))
def test_a_query_string_is_read_or_refused(pairs: list[tuple[str, str]]) -> None:
    request = make_mocked_request("GET", "/api/errors/list?" + "&".join(f"{name}={value}" for name, value in pairs))
    for declared in ((Filters, ErrorPaging), (Filters, FacetChoice), (TimeRange, PatternPaging), (TimeRange, Comparison),
                     (HistoryChoice,), (ExportChoice,)):  # fmt: skip
        with quickly(), contextlib.suppress(ApiError):
            found = parse(request, *declared)  # type: ignore[call-overload]
            msgspec.msgpack.encode(found)


@fuzz
@given(bodies, some.sampled_from([MergeRequest, SplitRequest, DeleteRequest]))
def test_the_body_of_a_change_is_read_or_refused(body: bytes, kind: Any) -> None:
    request = make_mocked_request("POST", "/", headers=CIMultiDict({"Content-Type": "application/json"}))
    with quickly(), contextlib.suppress(ApiError):
        assert isinstance(parsed(request, body, kind), kind)


@fuzz
@given(some.text(max_size=60) | some.integers().map(str) | some.from_regex(r"-?[0-9]{1,40}\.[0-9]{1,40}(\..*)?"))
@example("٣.٣")
@example("9" * 100_000 + ".1")
@example("1." + "9" * 100_000)
def test_a_cursor_is_read_or_refused(text: str) -> None:
    parsers: tuple[Callable[[str], object], ...] = (parse_cursor, parse_rank)
    for parser in parsers:
        with quickly(), contextlib.suppress(ValueError):
            parser(text)


class _Log:
    """A log with three events, of which no record can be read."""

    last = 3
    first = 1
    identity = "0" * 32

    def read(self, *_: object) -> list[Any]:
        return []


messages = some.fixed_dictionaries(
    {"type": some.sampled_from(["error_visualization_init", "subscribe", "unsubscribe", "ping"]) | scalars},
    optional={"topic": some.just("error_visualization") | values, "time_range": values, "since": some.integers(-1, 5) | values,
              "batch": some.booleans() | values, "most": some.integers(0, 501) | values, "log": values},
)  # fmt: skip


@fuzz
@given(damaged(messages).map(lambda body: body.decode("utf-8", "replace")) | some.text() | nested)
def test_a_message_of_a_websocket_is_answered(text: str) -> None:
    async def answer() -> None:
        live = Live(_Log())  # type: ignore[arg-type]
        client = Client(None)  # type: ignore[arg-type]
        found = await live.answer(client, text)
        if found is not None:
            msgspec.json.encode(found)
        else:
            assert client.next()
        live.on_events([event(4)])

    loop = asyncio.new_event_loop()
    try:
        with quickly():
            loop.run_until_complete(answer())
    finally:
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


fuzz_shortly = settings(fuzz, max_examples=int(MINUTES * 5_000) or 83)
FIXTURES = sorted((Path(__file__).parents[1] / "fixtures/protocols").glob("*"))
FOREIGN_FIELDS = [
    "exception", "values", "type", "value", "stacktrace", "frames", "lineno", "function", "threads", "crashed", "message", "logentry",
    "params", "tags", "contexts", "breadcrumbs", "extra", "release", "discarded_events", "reason", "category", "quantity",
    "resourceLogs", "resource_spans", "scopeLogs", "scopeSpans", "logRecords", "spans", "events", "name", "attributes", "key",
    "stringValue", "intValue", "doubleValue", "arrayValue", "kvlistValue", "body", "timeUnixNano", "severityNumber", "traceId",
    "alerts", "labels", "annotations", "alertname", "startsAt", "status", "fingerprint",
]  # fmt: skip
foreign = some.recursive(
    scalars | some.sampled_from(["17", 17, "error", "exception", "SEVERITY_NUMBER_ERROR", "client_report"]),
    lambda inner: some.lists(inner, max_size=5) | some.dictionaries(some.sampled_from(FOREIGN_FIELDS), inner, max_size=8),
    max_leaves=40,
)  # fmt: skip


@some.composite
def captured(draw: Any) -> bytes:
    """What a real SDK has sent, with some bytes replaced, doubled or cut off."""
    body = draw(some.sampled_from(FIXTURES)).read_bytes()
    for _ in range(draw(some.integers(0, 4))):
        at = draw(some.integers(0, len(body)))
        body = body[:at] + draw(some.binary(max_size=6)) + body[at + draw(some.integers(0, 50)) :]
    return body[: draw(some.integers(0, len(body)))] if draw(some.booleans()) else body


def sized(reports: list[dict[str, Any]]) -> None:
    """Every report can be written as JSON, and what its protocol adds is bounded."""
    for one in reports:
        msgspec.json.encode(one)
        kept = {name: one[name] for name in ("sentry", "otel", "alert", "junit") if name in one}
        assert len(msgspec.json.encode(kept)) < 1_000_000


@fuzz_shortly
@given(captured() | damaged(foreign) | bodies)
@example(b"{}\n" + b'{"type":"event"}\n{}\n' * 1_000)
@example(b'{"tags":' + b"[" * 50_000)
def test_a_message_of_sentry_becomes_reports_or_is_refused(body: bytes) -> None:
    with quickly():
        with contextlib.suppress(MessageError):
            sized([report_of(item.payload, "1", {}) for item in read_envelope(body, ("event",)).items])
        with contextlib.suppress(MessageError):
            sized([report_of(body, "1", {})])
        with contextlib.suppress(MessageError):
            assert all(count > 0 for count in lost_at_client(body).values())


@fuzz_shortly
@given(captured() | damaged(foreign) | bodies, some.sampled_from(["logs", "traces"]))
@example(b"\x0a\x02" * 50_000, "logs")
def test_a_request_of_otlp_becomes_reports_or_is_refused(body: bytes, signal: Any) -> None:
    for read in (read_json_records, read_protobuf):
        with quickly(), contextlib.suppress(MessageError):
            sized(reports_of(read(body, signal), body))


@fuzz_shortly
@given(damaged(some.dictionaries(some.sampled_from(["alerts", "receiver"]), foreign)) | bodies)
@example(b'{"alerts":[' + b"{}," * 9_000 + b"{}]}")
def test_a_webhook_of_alertmanager_becomes_reports_or_is_refused(body: bytes) -> None:
    with quickly(), contextlib.suppress(MessageError):
        sized(read_alerts(body).reports)


ELEMENTS = ["testsuites", "testsuite", "testcase", "failure", "error", "skipped", "rerunFailure", "flakyError", "stackTrace",
            "system-out", "property", "x:testcase"]  # fmt: skip
ATTRIBUTES = ["name", "classname", "time", "message", "type", "hostname", "timestamp", "file", "status"]
tags = some.builds(
    lambda opening, name, attributes: f"<{opening}{name}" + "".join(f' {key}="{value}"' for key, value in attributes.items()) + ">",
    some.sampled_from(["", "", "/"]), some.sampled_from(ELEMENTS),
    some.dictionaries(some.sampled_from(ATTRIBUTES), some.text(max_size=12) | some.sampled_from(["1e999", "nan", "&#0;", "&x;", "<"]), max_size=4),
)  # fmt: skip
xml = some.lists(
    tags | some.text(max_size=20) | some.sampled_from(["<![CDATA[", "]]>", "<!--", "<!DOCTYPE a [", "&", "\x1b"]),
    max_size=30,
)


@fuzz_shortly
@given(xml.map(lambda parts: "".join(parts).encode("utf-8", "surrogatepass")) | bodies)
@example(b"<testsuite>" + b"<testcase/>" * 20_000)
@example(b"<testsuite " + b"a " * 50_000)
@example(b"<![CDATA[" * 20_000)
@example(b"&" * 100_000)
@example(b"<testcase><failure>" + b"Error: " * 30_000)
def test_a_file_of_results_is_read_or_refused(body: bytes) -> None:
    with quickly(), contextlib.suppress(MessageError):
        found = read_results(body, {"id": "1"}, "w")
        sized(found.reports)
        msgspec.json.encode(found.summary)
