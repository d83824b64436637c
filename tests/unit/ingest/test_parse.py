"""Parsing: what is accepted, and what is refused with which message."""

import json
import time

import pytest

from exporter.ingest.parse import (
    MAX_DEPTH,
    MAX_LENIENT,
    MAX_NESTED,
    ReportError,
    _check_depth,
    parse_report,
    split_reports,
)

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
    report, _ = parse_report(body(**dict.fromkeys(fields)))
    assert all(getattr(report, field) is None for field in fields)


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
        (b"{}", "worker_id", "required"),
        (b'{"worker_id":"w"}', "message", "required unless type is given"),
        (b'{"worker_id":"","message":"m"}', "worker_id", "not empty"),
        (raw(b'"worker_id":17'), "worker_id", "expected a string, got a whole number"),
        (raw(b'"event_id":""'), "event_id", "expected 1 to 256 characters"),
        (raw(b'"event_id":"' + b"x" * 257 + b'"'), "event_id", "expected 1 to 256 characters"),
        (
            raw(b'"system_context":{"metrics":{"cpu":{"percent":"high"}}}'),
            "system_context.metrics.cpu.percent", "expected a number, got a string",
        ),
        (
            raw(b'"system_context":{"gpu_metrics":{"devices":[{},{"index":"0"}]}}'),
            "system_context.gpu_metrics.devices[].index", "expected a whole number, got a string",
        ),
        (raw(b'"hardware_context":[]'), "hardware_context", "expected an object, got an array"),
        (raw(b'"hardware_context":{"hardware_status":{"throttling":1}}'),
         "hardware_context.hardware_status.throttling", "expected true or false"),
        (b"[]", "", "expected an object"),
    ],
)  # fmt: skip
def test_a_wrong_field_is_named(sent: bytes, field: str, words: str) -> None:
    with pytest.raises(ReportError, match=words) as error:
        parse_report(sent)
    assert error.value.field.replace("[1]", "[]") == field
    assert error.value.reason == "invalid_field"


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b'{"worker_id":"w","message":"m"} x', "not JSON"),
        (b"\xef\xbb\xbf{}", "not JSON"),
        (raw(b'"message":"\xff"'), "not UTF-8 at byte 42"),
        (raw(b'"else":"\xff"'), "not UTF-8 at byte 39"),
        (raw(b'"else":' + b"[" * 100_000 + b"]" * 100_000), "nested"),
        (raw(b'"else":' + b"[" * MAX_DEPTH + b"]" * MAX_DEPTH), "nested more than 64 levels deep"),
        (raw(b'"else":' + b'{"a":' * 500 + b"1" + b"}" * 500), "nested more than 64 levels deep"),
        (raw(b'"else":[' + b"{}," * MAX_NESTED + b"1]"), "more than 20000 objects and arrays"),
        (raw(b'"else":[' + b"NaN," * MAX_LENIENT + b"1]"), "not JSON"),  # Python's `json` would block the event loop
    ],
)
def test_what_is_no_json_is_refused(sent: bytes, words: str) -> None:
    with pytest.raises(ReportError, match=words) as error:
        parse_report(sent)
    assert (error.value.field, error.value.reason) == ("", "malformed")


def test_brackets_in_text_are_no_nesting() -> None:
    text = "[{" * 500 + '\\"'
    assert parse_report(body(message=text))[0].message == text


def test_what_pythons_json_writes_is_taken() -> None:
    sent = json.dumps(
        {"worker_id": "w", "message": "bad \udcff name 😀", "x": [float("nan"), float("inf"), -float("inf")],
         "system_context": {"metrics": {"cpu": {"percent": float("nan")}}}}
    )  # fmt: skip
    report, text = parse_report(sent.encode())
    assert report.message == "bad \ufffd name 😀"
    assert report.system_context.metrics.cpu.percent is None
    assert json.loads(text)["x"] == [None, None, None]


def test_of_a_repeated_key_the_last_counts() -> None:
    assert parse_report(raw(b'"message":"first","message":"last"'))[0].message == "last"


def test_unknown_fields_are_kept_in_the_text() -> None:
    sent = body(labels={"team": "x"}, n=10**30)
    assert parse_report(sent)[1] == sent.decode()


def test_a_long_text_is_taken() -> None:
    assert len(parse_report(body(message="x" * 10_000_000))[0].message) == 10_000_000


def test_the_cost_of_counting_depth_grows_with_the_length_alone() -> None:
    """Also where quotes do not pair. The square of 8 times the length would take 64 times as long."""

    def seconds(length: int) -> float:
        found = []
        for _ in range(5):
            began = time.thread_time()
            _check_depth('"\\' * length, 1)
            found.append(time.thread_time() - began)
        return min(found)

    assert seconds(16_000) < 3 * 8 * seconds(2_000)


def test_a_batch_is_split() -> None:
    assert split_reports(b' [ {"a": 1}, 3 ]', ndjson=False) == [b'{"a": 1}', b"3"]
    assert split_reports(b'{"a":1}\n\n{bad\r\n', ndjson=True) == [b'{"a":1}', b"{bad\r"]
    assert split_reports(b'[{"a":NaN}]', ndjson=False) == [b'{"a":null}']
    for wrong in (b"{}", b"3"):
        with pytest.raises(ReportError, match="expected an array"):
            split_reports(wrong, ndjson=False)
    with pytest.raises(ReportError, match="not JSON"):
        split_reports(b"[", ndjson=False)
