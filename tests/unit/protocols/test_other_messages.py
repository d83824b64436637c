"""Sentry envelopes, OTLP and alerts that no SDK of today sends, but some sender will: what is kept, cut and refused."""

import json
from typing import Any

import msgspec
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from exporter.protocols import bounds, otlp
from exporter.protocols.alertmanager import read_alerts
from exporter.protocols.bounds import Bounds
from exporter.protocols.identity import commit_of
from exporter.protocols.json_value import MessageError, read_json
from exporter.protocols.otel import reports_of
from exporter.protocols.otlp import protobuf_answer, read_json_records, read_protobuf
from exporter.protocols.sentry import lost_at_client, report_of
from exporter.protocols.sentry_envelope import read_envelope

pytestmark = pytest.mark.dashboard
ID = "9ec79c33ec9942ab8353589fcb2e04dc"


def of(event: dict[str, Any], header: dict[str, Any] | None = None) -> dict[str, Any]:
    return report_of(json.dumps(event).encode(), "7", header or {})


def test_an_envelope_is_split_with_and_without_lengths() -> None:
    body = b"".join([
        b'{"event_id":"%s"}\n' % ID.encode(),
        b'{"type":"attachment","length":5}\na\nb\nc\n',
        b'{"type":"event"}\n{"message":"one"}\n',
        b'{"type":"event","length":17}\n{"message":"two"}\n\n',
        b'{"type":"transaction"}\n{}',
    ])  # fmt: skip
    found = read_envelope(body, ("event",))
    assert [item.payload for item in found.items] == [b'{"message":"one"}', b'{"message":"two"}']
    assert found.skipped == 2
    assert found.header == {"event_id": ID}
    assert read_envelope(b"{}", ("event",)).items == ()
    assert read_envelope(b'{}\n{"type":"event","length":0}\n', ("event",)).items == (("event", b""),)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "header of the envelope: not JSON"),
        (b"[]\n", "header of the envelope: expected a JSON object"),
        (b"{}\nnothing\n", "header of item 1 of the envelope: not JSON"),
        (b'{}\n{"type":"event","length":99}\n{}', "its length is 99"),
        (b'{}\n{"type":"event","length":-1}\n{}', "its length is -1"),
        (b'{}\n{"type":"event","length":"2"}\n{}', "its length is 2"),
        (b'{}\n{"type":"event","length":1}\n{}\n', "no line ends after its 1 bytes"),
        (b"{}\n" + b'{"type":"x"}\n{}\n' * 1_001, "more than 1000 items"),
        (b"x" * 20_000, "longer than 16384 bytes"),
    ],
)  # fmt: skip
def test_an_envelope_that_cannot_be_split_is_refused(body: bytes, words: str) -> None:
    with pytest.raises(MessageError, match=words):
        read_envelope(body, ("event",))


@pytest.mark.parametrize(
    ("event", "type_", "message"),
    [
        ({"message": "plain"}, "Message", "plain"),
        ({"message": {"formatted": "a b", "message": "a %s"}}, "Message", "a b"),
        ({"logentry": {"message": "a %s of %s", "params": ["b", 3]}}, "Message", "a b of 3"),
        ({"logentry": {"message": "a %s of %s", "params": ["b"]}}, "Message", "a b of %s"),
        ({"logentry": "text"}, "Message", "text"),
        ({"exception": [{"type": "E", "value": "v"}]}, "E", "v"),  # a list, as old SDKs send it
        ({"exception": {"type": "E", "value": 3}}, "Message", "an event without a message"),
        ({"exception": {"values": [{"type": "A"}, {"type": "B", "value": ""}]}}, "B", ""),
        ({"exception": {"values": [None, 3, "x"]}, "message": "m"}, "Message", "m"),
        ({}, "Message", "an event without a message"),
    ],
)
def test_what_happened(event: dict[str, Any], type_: str, message: str) -> None:
    report = of(event)
    assert (report["type"], report.get("message", "")) == (type_, message)
    assert report["worker_id"] == "sentry-project-7"


@pytest.mark.parametrize(
    ("event", "worker"),
    [
        ({"tags": {"worker_id": "w1"}, "server_name": "host"}, "w1"),
        ({"tags": [["worker_id", "w2"], ["odd"], 3]}, "w2"),
        ({"tags": [["worker", "w3"]], "server_name": "host"}, "w3"),
        ({"server_name": "host"}, "host"),
        ({"server_name": " ", "contexts": {"device": {"name": "phone"}}}, "phone"),
    ],
)
def test_who_sends_it(event: dict[str, Any], worker: str) -> None:
    assert of(event)["worker_id"] == worker


def test_the_header_names_the_event_where_the_event_does_not() -> None:
    assert of({}, {"event_id": ID})["event_id"] == ID
    assert of({"event_id": "9ec79c33-ec99-42ab-8353-589fcb2e04dc"})["event_id"] == ID
    assert "event_id" not in of({})


def test_chained_exceptions_are_rendered_as_python_does() -> None:
    values = [
        {"type": "KeyError", "value": "'a'", "stacktrace": {"frames": [
            {"filename": "a.py", "lineno": 1, "function": "outer", "context_line": "  inner()"},
            {"abs_path": "/srv/a.py", "filename": "a.py", "lineno": 2, "function": "inner"}]}},
        {"type": "ValueError", "module": "errors", "value": "bad", "mechanism": {"source": "__context__"}},
        {"type": "Final"},
    ]  # fmt: skip
    values[0]["mechanism"] = {"source": "__context__"}
    values[1]["mechanism"] = {"source": "__cause__"}
    assert of({"exception": {"values": values}})["traceback"] == (
        'Traceback (most recent call last):\n  File "a.py", line 1, in outer\n    inner()\n'
        "  File \"/srv/a.py\", line 2, in inner\nKeyError: 'a'\n\n"
        "During handling of the above exception, another exception occurred:\n\nerrors.ValueError: bad\n\n"
        "The above exception was the direct cause of the following exception:\n\nFinal"
    )


def test_an_exception_without_frames_has_those_of_the_thread_that_crashed() -> None:
    threads = [{"id": 1, "name": "main", "stacktrace": {"frames": [{"function": "wait"}]}},
               {"id": 2, "crashed": True, "stacktrace": {"frames": [{"function": "work", "module": "lib.so"}]}}]  # fmt: skip
    report = of({"exception": {"values": [{"type": "SIGSEGV"}]}, "threads": {"values": threads}})
    assert report["traceback"] == 'Traceback (most recent call last):\n  File "lib.so", line 0, in work\nSIGSEGV'
    assert [one["id"] for one in report["sentry"]["threads"]] == [1, 2]


def test_long_stacks_and_chains_are_cut() -> None:
    frames = [{"function": f"f{number}", "filename": "a.py", "lineno": number} for number in range(1_000)]
    values = [{"type": f"E{number}", "stacktrace": {"frames": frames}} for number in range(50)]
    text = of({"exception": {"values": values}})["traceback"]
    assert text.count("frames were left out") == 20
    assert text.count("File") == 20 * 150
    assert "in f0\n" in text
    assert "in f999\n" in text
    assert "E29\n" not in text
    assert text.endswith("E49")


def test_of_breadcrumbs_the_newest_are_kept() -> None:
    crumbs = of({"breadcrumbs": {"values": [{"message": f"step {number}"} for number in range(300)]}})["sentry"][
        "breadcrumbs"
    ]
    assert crumbs[0] == f"{bounds.MARK} 200 more"
    assert crumbs[-1] == {"message": "step 299"}


def test_a_huge_event_becomes_a_report_of_bounded_size() -> None:
    extra = {f"k{number}": {"text": "x" * 10_000, "list": list(range(1_000))} for number in range(300)}
    event = {"message": "m", "extra": extra, "contexts": extra, "user": extra, "tags": {"a": "b" * 100_000}}
    assert len(msgspec.json.encode(of(event))) < 200_000


def test_client_reports_count_errors_by_known_reasons() -> None:
    sent = {"discarded_events": [
        {"reason": "queue_overflow", "category": "error", "quantity": 23},
        {"reason": "queue_overflow", "category": "error", "quantity": 1},
        {"reason": "invented", "category": "default", "quantity": 2},
        {"reason": "ratelimit_backoff", "category": "transaction", "quantity": 5},
        {"reason": "queue_overflow", "category": "error", "quantity": -1},
        {"reason": "queue_overflow", "category": "error", "quantity": "9"}, 3,
    ]}  # fmt: skip
    assert lost_at_client(json.dumps(sent).encode()) == {"queue_overflow": 24, "other": 2}


@pytest.mark.parametrize(
    ("release", "commit"),
    [
        ("1f3a9c2d4e", "1f3a9c2d4e"), ("web@1F3A9C2", "1f3a9c2"), ("a" * 40, "a" * 40), ("1" * 40, "1" * 40),
        ("web@1.2.3+1f3a9c2d", "1f3a9c2d"), ("20260315", ""), ("web@1.2.3", ""), ("", ""), ("deadbeef" * 2, ""),
    ],
)  # fmt: skip
def test_a_release_that_is_a_commit(release: str, commit: str) -> None:
    assert commit_of(release) == commit


def logs(*records: dict[str, Any], resource: dict[str, Any] | None = None) -> bytes:
    attributes = [{"key": key, "value": value} for key, value in (resource or {}).items()]
    return json.dumps(
        {"resourceLogs": [{"resource": {"attributes": attributes}, "scopeLogs": [{"logRecords": list(records)}]}]}
    ).encode()


def stored(body: bytes) -> list[dict[str, Any]]:
    return reports_of(read_json_records(body, "logs"), body)


def test_records_without_a_time_are_known_again_in_the_same_batch() -> None:
    record = {"severityNumber": 17, "body": {"stringValue": "m"}}
    first, second = (one["event_id"] for one in stored(logs(record, record)))
    assert first != second
    assert [one["event_id"] for one in stored(logs(record, record))] == [first, second]
    (other,) = stored(logs(record))
    assert other["event_id"] not in (first, second)


def test_only_errors_are_stored() -> None:
    body = logs({"severityNumber": 13}, {"severityNumber": 17, "timeUnixNano": "1"}, {"severityNumber": "SEVERITY_NUMBER_FATAL"},
                {"severityNumber": 9, "attributes": [{"key": "exception.type", "value": {"stringValue": "E"}}]})  # fmt: skip
    reports = stored(body)
    assert [one["type"] for one in reports] == ["LogRecord", "LogRecord", "E"]


def test_equal_records_of_one_moment_are_two_errors() -> None:
    record = {"severityNumber": 17, "timeUnixNano": "1795725721000000000", "body": {"stringValue": "m"}}
    first, second = stored(logs(record, record))
    assert second["event_id"] == first["event_id"] + "-2"


@pytest.mark.parametrize(
    ("resource", "worker"),
    [
        ({"service.instance.id": "w1", "host.name": "h"}, "w1"),
        ({"service.instance.id": "627cc493-f310-47de-96bd-71410b7dec09", "host.name": "h"}, "h"),
        ({"service.instance.id": "627cc493-f310-47de-96bd-71410b7dec09", "service.name": "s"}, "627cc493-f310-47de-96bd-71410b7dec09"),
        ({"k8s.pod.name": "p", "host.name": "h", "service.name": "s"}, "p"),
        ({"service.name": "s"}, "s"),
        ({}, "otel"),
    ],
)  # fmt: skip
def test_the_worker_of_a_record(resource: dict[str, str], worker: str) -> None:
    given = {key: {"stringValue": value} for key, value in resource.items()}
    (report,) = stored(logs({"severityNumber": 17}, resource=given))
    assert report["worker_id"] == worker


def test_values_of_every_kind_are_the_same_in_both_encodings() -> None:
    values = {"text": {"stringValue": "a"}, "yes": {"boolValue": True}, "no": {"boolValue": False}, "whole": {"intValue": "-5"},
              "real": {"doubleValue": 1.5}, "bytes": {"bytesValue": "AAE="}, "list": {"arrayValue": {"values": [{"intValue": "1"}]}},
              "map": {"kvlistValue": {"values": [{"key": "k", "value": {"stringValue": "v"}}]}}}  # fmt: skip
    record = {"severityNumber": 17, "timeUnixNano": "1795725721000000000", "body": {"kvlistValue": {"values": [{"key": "a", "value": {"intValue": "1"}}]}},
              "attributes": [{"key": key, "value": value} for key, value in values.items()]}  # fmt: skip
    by_json = read_json_records(logs(record), "logs")
    message: Any = ExportLogsServiceRequest()
    one = message.resource_logs.add().scope_logs.add().log_records.add()
    one.severity_number, one.time_unix_nano = 17, 1795725721000000000
    one.body.kvlist_value.values.add(key="a").value.int_value = 1
    for key, value in values.items():
        into = one.attributes.add(key=key).value
        match key:
            case "text":
                into.string_value = "a"
            case "yes":
                into.bool_value = True
            case "no":
                into.bool_value = False
            case "whole":
                into.int_value = -5
            case "real":
                into.double_value = 1.5
            case "bytes":
                into.bytes_value = b"\0\1"
            case "list":
                into.array_value.values.add().int_value = 1
            case "map":
                into.kvlist_value.values.add(key="k").value.string_value = value["kvlistValue"]["values"][0]["value"][
                    "stringValue"
                ]
    by_protobuf = read_protobuf(message.SerializeToString(), "logs")
    assert by_protobuf == by_json
    assert by_json[0].attributes["map"] == {"k": "v"}
    assert reports_of(by_json, b"")[0]["message"] == '{"a":1}'


def test_names_of_protobuf_are_read_in_json_too() -> None:
    body = b'{"resource_logs":[{"scope_logs":[{"log_records":[{"severity_number":17,"body":{"string_value":"m"}}]}]}]}'
    assert stored(body)[0]["message"] == "m"


@pytest.mark.parametrize("body", [b"\xff\xff\xff", b"{}"])
def test_what_is_no_protobuf_is_refused(body: bytes) -> None:
    with pytest.raises(MessageError, match="ExportLogsServiceRequest"):
        read_protobuf(body, "logs")


def test_answers_say_how_many_records_were_refused() -> None:
    logs_answer: Any = ExportLogsServiceResponse.FromString(protobuf_answer("logs", 2, "why"))
    assert (logs_answer.partial_success.rejected_log_records, logs_answer.partial_success.error_message) == (2, "why")
    traces_answer: Any = ExportTraceServiceResponse.FromString(protobuf_answer("traces", 1, "why"))
    assert traces_answer.partial_success.rejected_spans == 1
    assert protobuf_answer("logs", 0, "") == b""
    assert otlp.json_answer("logs", 2, "why") == {"partialSuccess": {"rejectedLogRecords": "2", "errorMessage": "why"}}
    assert otlp.json_answer("traces", 0, "") == {}


ALERT = {
    "status": "firing", "fingerprint": "c0ffee", "startsAt": "2026-03-15T12:00:00Z",
    "labels": {"alertname": "GpuXid", "instance": "gpu-3:9400", "severity": "critical", "UUID": "GPU-1", "gpu": "2", "pci_bus_id": "0000:3b:00.0"},
    "annotations": {"summary": "XID 79 on gpu-3"}, "generatorURL": "http://prometheus:9090/graph",
}  # fmt: skip


def test_a_firing_alert_is_an_error_and_others_are_not() -> None:
    others = [ALERT | {"status": "resolved"}, ALERT | {"labels": ALERT["labels"] | {"source": "push"}},  # type: ignore[operator]
              ALERT | {"labels": ALERT["labels"] | {"source": "rule"}}, 3]  # type: ignore[operator]  # fmt: skip
    found = read_alerts(json.dumps({"version": "4", "receiver": "ours", "alerts": [ALERT, *others]}).encode())
    assert found.skipped == 4
    (report,) = found.reports
    assert report | {"alert": None} == {
        "worker_id": "gpu-3", "type": "GpuXid", "message": "XID 79 on gpu-3", "timestamp": "2026-03-15T12:00:00Z",
        "event_id": "c0ffee-2026-03-15T12:00:00Z", "alert": None,
        "devices": [{"kind": "gpu", "uuid": "GPU-1", "pci": "0000:3b:00.0", "index": "2"}],
    }  # fmt: skip
    assert report["alert"]["severity"] == "critical"
    assert report["alert"]["receiver"] == "ours"


@pytest.mark.parametrize("body", [b"{}", b"[]", b'{"alerts":{}}', b"", b"nonsense"])
def test_what_is_no_webhook_is_refused(body: bytes) -> None:
    with pytest.raises(MessageError):
        read_alerts(body)


def test_bounds_hold_for_any_value() -> None:
    deep: Any = "end"
    for _ in range(100):
        deep = {"a": [deep]}
    wide = {f"k{number}": "x" * 5_000 for number in range(200)}
    for value in (deep, wide, [wide] * 50, "x" * 10**6, 10**400, list(range(10**5)), {"k" * 10**6: 1}):
        text = msgspec.json.encode(Bounds().keep(value))
        assert len(text) < 100_000
        assert text.count(b"{") + text.count(b"[") < 2_500
    kept, levels = Bounds().keep(deep), 0
    while isinstance(kept, dict | list):
        kept, levels = (kept["a"] if isinstance(kept, dict) else kept[0]), levels + 1
    assert (kept, levels) == (bounds.MARK, bounds.MAX_DEPTH)
    assert Bounds().keep({"a": [1, None, True, 1.5, {"b": []}]}) == {"a": [1, None, True, 1.5, {"b": []}]}


TOKEN = "ghp_" + "aB3dE5gH7jK9mN1pQ3rS5tU7vW9xY1zA3bC5"


@pytest.mark.parametrize("part", range(1, len(TOKEN)))
def test_a_token_is_not_divided_by_a_cut_because_redaction_comes_later(part: int) -> None:
    before = "word " * 1_000
    text = before[part - bounds.MAX_TEXT :] + TOKEN + " more" * 10
    assert TOKEN[:4] not in Bounds().keep(text)
    assert TOKEN[-1] not in bounds.ending(before + TOKEN + before[part - bounds.MAX_TEXT :], bounds.MAX_TEXT)
    values = [{"type": "E", "value": f"{'w ' * 200}"[: 197 - part] + TOKEN, "mechanism": {"type": "x"}}]
    assert TOKEN[:4] not in of({"exception": {"values": values}})["sentry"]["exceptions"][0]["exception"]


def test_words_that_fit_stay_and_words_without_an_end_are_cut() -> None:
    assert [bounds.beginning("one two", most) for most in (-1, 0, 2, 3, 4, 5, 7, 9)] == [
        "", "", "", "one", "one ", "one ", "one two", "one two"
    ]  # fmt: skip
    assert [bounds.ending("one two", most) for most in (0, 2, 3, 4, 5, 7)] == ["", "", "two", " two", " two", "one two"]
    assert bounds.beginning("x" * 9_000, 5_000) == "x" * 5_000


def test_a_request_has_names_and_no_pairs_because_redaction_goes_by_names() -> None:
    pairs = [["Authorization", "Bearer s"], ["Accept", "a"], ["Accept", "b"]]
    sent = {"headers": pairs, "query_string": [["api_key", "s"]], "cookies": [["sid", "s"], ["b", 2]], "data": [[1], 2]}
    assert of({"request": sent})["sentry"]["request"] == {
        "headers": {"Authorization": "Bearer s", "Accept": ["a", "b"]}, "query_string": {"api_key": "s"},
        "cookie": "sid=s; b=2", "data": [[1], 2],
    }  # fmt: skip
    assert of({"request": {"cookies": {"sid": "s"}}})["sentry"]["request"] == {"cookie": "sid=s"}
    assert of({"request": {"cookies": "sid=s"}})["sentry"]["request"] == {"cookie": "sid=s"}


def test_json_with_too_many_objects_is_refused() -> None:
    with pytest.raises(MessageError, match="objects and arrays"):
        read_json(b"[" + b"{}," * 300_000 + b"{}]")
    with pytest.raises(MessageError, match="nested too deeply"):
        read_json(b"[" * 100_000)
