"""What the real SDKs have sent (tests/sdks/capture.py) becomes the right reports."""

from pathlib import Path
from typing import Any

import pytest

from exporter.ingest.parse import parse_report
from exporter.protocols.otel import reports_of
from exporter.protocols.otlp import read_json_records, read_protobuf
from exporter.protocols.sentry import report_of
from exporter.protocols.sentry_envelope import read_envelope

pytestmark = pytest.mark.dashboard
FIXTURES = Path(__file__).parents[2] / "fixtures/protocols"
FAULT = "CUDA error: device-side assert triggered"


def reports_in(pattern: str) -> list[dict[str, Any]]:
    found = []
    for file in sorted(FIXTURES.glob(pattern)):
        body, name = file.read_bytes(), file.name
        if "envelope" in name:
            envelope = read_envelope(body, ("event",))
            found += [report_of(item.payload, "1", envelope.header) for item in envelope.items]
        elif name.endswith(".pb"):
            found += reports_of(read_protobuf(body, "logs" if "logs" in name else "traces"), body)
        else:
            found += reports_of(read_json_records(body, "logs" if "logs" in name else "traces"), body)
    return found


# The files → worker, type, message, the words of the traceback in their order, and the fields of `run`.
TABLE: list[tuple[str, list[tuple[str, str, str, list[str]]], dict[str, str]]] = [
    ("sentry-python-*", [
        ("gpu-node-3", "OSError", "no device 7", ["in main", "in open_device", "raise OSError", "OSError: no device 7"]),
        ("gpu-node-3", "RuntimeError", FAULT,
         ["KeyError: 'step'", "direct cause", "in train", f"RuntimeError: {FAULT}"]),
        ("gpu-node-3", "Message", "the disk is nearly full", []),
        ("gpu-node-3", "Message", "lost three of 8 shards", []),
    ], {"id": "4711", "job": "nightly", "commit": "1f3a9c2d4e"}),
    ("sentry-node-*", [
        ("node-7", "TypeError", "no device 7", ["Module._load", "in openDevice", "TypeError: no device 7"]),
        ("node-7", "RangeError", "training failed",
         ["in openDevice", "TypeError: no device 8", "direct cause", "in train", "RangeError: training failed"]),
        ("node-7", "Message", "the disk is nearly full", ["Module._load", "Message: the disk"]),
    ], {"id": "4712", "commit": "1f3a9c2d4e"}),
    ("otel-python-*", [
        ("gpu-node-5", "OSError", "no device 7", ["in main", "in open_device", "OSError: no device 7"]),
        ("gpu-node-5", "LogRecord", "the disk is nearly full", []),
        ("gpu-node-5", "RuntimeError", FAULT, ["KeyError: 'step'", "direct cause", "in train", f"RuntimeError: {FAULT}"]),
    ], {"id": "4713", "job": "nightly", "commit": "1f3a9c2d4e", "branch": "main"}),
    ("otel-node-*", [
        ("node-8", "LogRecord", "the disk is nearly full", []),
        ("node-8", "RangeError", "training failed", ["RangeError: training failed", "    at "]),
        ("node-8", "TypeError", "no device 7", ["TypeError: no device 7", "    at "]),
    ], {"id": "4714"}),
]  # fmt: skip


@pytest.mark.parametrize(("files", "expected", "run"), TABLE, ids=[row[0] for row in TABLE])
def test_a_captured_message_becomes_its_reports(
    files: str, expected: list[tuple[str, str, str, list[str]]], run: dict[str, str]
) -> None:
    reports = reports_in(files)
    assert sorted((one["worker_id"], one["type"], one["message"]) for one in reports) == sorted(
        row[:3] for row in expected
    )
    for worker, type_, message, words in expected:
        (report,) = [one for one in reports if (one["type"], one["message"]) == (type_, message)]
        text, at = report.get("traceback", ""), 0
        assert bool(text) == bool(words), (worker, text)
        for word in words:
            at = text.index(word, at)  # raises if it is not there, or in another order
        assert report["run"] == run
        assert len(report["event_id"]) == 32
        assert str(report["timestamp"])[:4] in ("2026", "1795")


def test_what_fits_no_field_is_kept() -> None:
    sentry = {one["type"]: one["sentry"] for one in reports_in("sentry-python-*")}
    assert sentry["OSError"]["level"] == "error"
    assert sentry["OSError"]["environment"] == "ci"
    assert sentry["OSError"]["contexts"]["trace"]["trace_id"]
    assert sentry["OSError"]["breadcrumbs"][0]["message"] == "a step before"
    assert sentry["OSError"]["locals"][0] == {"function": "open_device", "vars": {"number": "7"}}
    (report,) = [one for one in reports_in("otel-python-*") if one["type"] == "LogRecord"]
    assert report["error_category"] == "RESOURCE_WARNING"
    assert report["otel"]["severity_number"] == 17
    assert report["otel"]["resource"]["service.name"] == "trainer"


@pytest.mark.parametrize("files", [row[0] for row in TABLE])
def test_a_report_is_one_that_the_service_reads(files: str) -> None:
    import msgspec

    for one in reports_in(files):
        assert parse_report(msgspec.json.encode(one))[2] == ()


def test_a_message_that_is_sent_again_has_the_same_ids() -> None:
    for files, *_ in TABLE:
        first = [one["event_id"] for one in reports_in(files)]
        assert first == [one["event_id"] for one in reports_in(files)]
        assert len(set(first)) == len(first)
