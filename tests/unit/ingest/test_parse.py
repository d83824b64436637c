"""Parsing: what is accepted, and what is refused with which message."""

import json
import re

import pytest

from exporter.ingest.nesting import MAX_DEPTH, MAX_NESTED
from exporter.ingest.parse import MAX_LENIENT, ReportError, parse_report, split_reports

pytestmark = pytest.mark.dashboard


def body(**fields: object) -> bytes:
    return json.dumps({"worker_id": "w", "message": "m"} | fields).encode()


def raw(text: bytes) -> bytes:
    return b'{"worker_id":"w","message":"m",' + text + b"}"


def test_every_field_may_be_null() -> None:
    fields = (
        "type", "error_category", "traceback", "timestamp", "system_context", "hardware_context", "error_frequency",
        "event_id", "is_system_critical",
    )  # fmt: skip
    report, _, dropped = parse_report(body(**dict.fromkeys(fields)))
    assert all(getattr(report, field) is None for field in fields)
    assert not dropped


@pytest.mark.parametrize(
    ("path", "nothing"),
    [
        ("system_context.metrics", None), ("system_context.metrics.cpu", None), ("system_context.metrics.disk", None),
        ("system_context.gpu_metrics", None), ("system_context.gpu_metrics.devices", None),
        ("hardware_context.hardware_status", None), ("hardware_context.hardware_types", None),
        ("error_frequency.same_type", None), ("error_frequency.similar_message.last_1h", None),
        ("hardware_context.hardware_status.overheating", None),
    ],
)  # fmt: skip
def test_every_part_may_be_null(path: str, nothing: None) -> None:
    content: object = nothing
    for name in reversed(path.split(".")):
        content = {name: content}
    parse_report(body(**content))


@pytest.mark.parametrize(
    ("sent", "field", "words"),
    [
        (b"{}", "worker_id", 'required, a string that is not empty; send the name of the worker, such as "gpu-node-3"'),
        (b'{"worker_id":"","message":"m"}', "worker_id", "required, a string that is not empty; send the name"),
        (raw(b'"worker_id":null'), "worker_id", "required, a string that is not empty; send the name"),
        (raw(b'"worker_id":{"host":"w"}'), "worker_id", "not empty, got an object; send the name of the worker"),
        (raw(b'"worker_id":["w"]'), "worker_id", "not empty, got an array; send"),
        (raw(b'"worker_id":true'), "worker_id", "not empty, got true; send"),
        (b'{"worker_id":"w"}', "message", 'required unless type is given; send what happened, such as "CUDA out of'),
        (b'{"worker_id":"w","message":[],"type":""}', "message", "required unless type is given; send"),
        (b'{"worker_id":"w","type":{}}', "message", "required unless type is given; send"),
        (raw(b'"event_id":""'), "event_id", "expected 1 to 256 characters; send an id of your own, the same again"),
        (raw(b'"event_id":"' + b"x" * 257 + b'"'), "event_id", "expected 1 to 256 characters; send"),
        (raw(b'"event_id":["a"]'), "event_id", "expected 1 to 256 characters, got an array; send"),
        (raw(b'"event_id":false'), "event_id", "expected 1 to 256 characters, got false; send"),
        (raw(b'"event_id":1.5'), "event_id", "got a number that is not whole; send"),
        (raw(b'"event_id":1e300'), "event_id", "got a number that is not whole; send"),
        (raw(b'"event_id":18446744073709551617'), "event_id", "got a number out of range; send"),
        (b"[]", "", 'expected an object, got an array; send one object, such as {"worker_id": "gpu-node-3", "mess'),
        (b"null", "", "expected an object, got null; send one object"),
        (b'"text"', "", "expected an object, got a string; send one object"),
        (b"[NaN]", "", "expected an object, got an array; send one object"),
    ],
)  # fmt: skip
def test_what_is_refused_is_named_and_says_what_to_send(sent: bytes, field: str, words: str) -> None:
    with pytest.raises(ReportError, match=re.escape(words)) as error:
        parse_report(sent)
    assert error.value.field == field
    assert str(error.value).startswith(f"{field}: " if field else "expected")
    assert error.value.reason == "invalid_field"


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b'{"worker_id":"w","message":"m"} x', "not JSON"),
        (b'{"worker_id":7,"message":"m"} x', "not JSON"),
        (b'\xef\xbb\xbf{"worker_id":"w",}', "not JSON"),
        ('{"worker_id":"w","message":"m"}'.encode("utf-16"), "the text is UTF-16; send it as UTF-8"),
        (raw(b'"message":"\xff"'), "not UTF-8 at byte 42; send the text as UTF-8"),
        (raw(b'"else":"\xff"'), "not UTF-8 at byte 39"),
        (raw(b'"else":' + b"[" * 100_000 + b"]" * 100_000), "nested"),
        (
            raw(b'"else":' + b"[" * MAX_DEPTH + b"]" * MAX_DEPTH),
            "nested more than 64 levels deep; send what is nested as a string",
        ),
        (raw(b'"else":' + b'{"a":' * 500 + b"1" + b"}" * 500), "nested more than 64 levels deep"),
        (raw(b'"else":[' + b"{}," * MAX_NESTED + b"1]"), "more than 20000 objects and arrays; send"),
        (raw(b'"worker_id":7,"else":[' + b"{}," * MAX_NESTED + b"1]"), "more than 20000 objects and arrays; send"),
        (raw(b'"worker_id":7,"else":' + b"[" * 100 + b"]" * 100), "nested more than 64 levels deep; send"),
        (raw(b'"worker_id":7,"else":' + b"[" * 100_000 + b"]" * 100_000), "nested too deeply; send"),
        (raw(b'"worker_id":7,"x":1e999,"else":[' + b"1," * MAX_LENIENT + b"1]"), "not JSON"),
        (raw(b'"else":[' + b"NaN," * MAX_LENIENT + b"1]"), "not JSON"),  # Python's `json` would block the event loop
    ],
)
def test_what_is_no_json_is_refused(sent: bytes, words: str) -> None:
    with pytest.raises(ReportError, match=words) as error:
        parse_report(sent)
    assert (error.value.field, error.value.reason) == ("", "malformed")


@pytest.mark.parametrize("text", ["[{" * 500 + '\\"', json.dumps([{"a": [1, 2]}] * 30_000), '\\"[[' * 40_000])
def test_brackets_in_text_are_no_nesting(text: str) -> None:
    assert parse_report(body(traceback=text))[0].traceback == text


def test_what_pythons_json_writes_is_taken() -> None:
    sent = json.dumps(
        {"worker_id": "w", "message": "bad \udcff name 😀", "x": [float("nan"), float("inf"), -float("inf")],
         "system_context": {"metrics": {"cpu": {"percent": float("nan")}}}}
    )  # fmt: skip
    report, text, dropped = parse_report(sent.encode())
    assert not dropped
    assert report.message == "bad \ufffd name 😀"
    assert report.system_context.metrics.cpu.percent is None
    assert json.loads(text)["x"] == [None, None, None]


@pytest.mark.parametrize("start", [b"\xef\xbb\xbf", b"\xef\xbb\xbf\r\n ", b"\r\n"])
@pytest.mark.parametrize("end", [b"\r", b"\r\n\r\n"])
def test_a_byte_order_mark_and_line_ends_are_ignored(start: bytes, end: bytes) -> None:
    report, text, dropped = parse_report(start + body(type="T") + end)
    assert (report.worker_id, report.type, dropped) == ("w", "T", [] if start.startswith(b"\xef") else ())
    assert text.lstrip()[0] == "{"


def test_what_is_stored_is_as_it_was_sent() -> None:
    for sent in (raw(b'"type": 7'), raw(b'"type":7,"x":1e999'), raw(b'"is_system_critical":"yes"')):
        assert parse_report(sent)[1] == sent.decode()


def test_of_a_repeated_key_the_last_counts() -> None:
    assert parse_report(raw(b'"message":"first","message":"last"'))[0].message == "last"


def test_unknown_fields_are_kept_in_the_text() -> None:
    sent = body(labels={"team": "x"}, n=10**30)
    assert parse_report(sent)[1] == sent.decode()


def test_a_long_text_is_taken() -> None:
    assert len(parse_report(body(message="x" * 10_000_000))[0].message) == 10_000_000


def test_a_batch_is_split() -> None:
    bom = b"\xef\xbb\xbf"
    assert split_reports(bom + b'[{"a": 1}]', ndjson=False) == [b'{"a": 1}']
    assert split_reports(bom + b'{"a":1}\r\n{"b":2}\r\n\r\n', ndjson=True) == [b'{"a":1}\r', b'{"b":2}\r']
    assert split_reports(bom + b"\r\n", ndjson=True) == []
    assert split_reports(b' [ {"a": 1}, 3 ]', ndjson=False) == [b'{"a": 1}', b"3"]
    assert split_reports(b'{"a":1}\n\n{bad\r\n', ndjson=True) == [b'{"a":1}', b"{bad\r"]
    assert split_reports(b'[{"a":NaN}]', ndjson=False) == [b'{"a":null}']
    for wrong in (b"{}", b"3"):
        with pytest.raises(ReportError, match="expected an array of reports; send an array, such as"):
            split_reports(wrong, ndjson=False)
    with pytest.raises(ReportError, match="not JSON"):
        split_reports(b"[", ndjson=False)
