"""The latest report of each worker, kept for its gauges."""

import json

import msgspec
import pytest

from exporter.metrics import hardware_metrics
from exporter.metrics import hardware_reports as module
from exporter.metrics.hardware_metrics import lines_of
from exporter.metrics.hardware_reports import HardwareReports

pytestmark = pytest.mark.dashboard


def workers(reports: HardwareReports) -> set[str]:
    return {one.worker for one in reports.snapshot()}


def test_of_each_worker_the_latest_report_is_kept() -> None:
    reports = HardwareReports()
    for moment, body in ((2.0, "b"), (1.0, "a"), (3.0, "x" * (module.MAX_BODY + 1)), (2.0, "c")):
        reports.note("w", moment, moment, body)
    assert [(one.worker, one.report and one.report.body) for one in reports.snapshot()] == [("w", "c")]


def test_beyond_the_bytes_the_reports_that_came_first_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BYTES", 10_000)
    reports = HardwareReports()
    for number in range(100):
        reports.note(f"w{number}", float(number), 0.0, "x" * 900)
        reports.note("w0", float(number), 0.0, "é" * 900)
    kept = workers(reports)
    assert 8 <= len(kept) <= 10
    assert {"w0", "w99", "w98"} <= kept
    for number in range(100):
        reports.note("w0", float(100 + number), 0.0, "")
    assert workers(reports) == kept, "a report that is replaced is not counted any more"


def test_a_report_that_grew_is_taken_off_as_it_was_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Decoding a report makes its UTF-8 form, which Python keeps with the text."""
    monkeypatch.setattr(module, "MAX_BYTES", 10_000)
    reports = HardwareReports()
    for number in range(10):
        body = "µ" * 500 + str(number)
        reports.note("w", float(number), 0.0, body)
        msgspec.json.encode(body)
    for number in range(100):
        reports.note(f"w{number}", 100.0, 0.0, "x" * 900)
    assert 8 <= len(reports.snapshot()) <= 10


def test_reports_of_workers_that_are_no_longer_known_make_room() -> None:
    reports = HardwareReports()
    for name in "abc":
        reports.note(name, 1.0, 1.0, "x" * 900)
    reports.keep_only({"b"}, 1.0)
    assert workers(reports) == {"b"}
    reports.keep_only(set(), 1.0)
    assert reports._bytes == 0


def test_what_is_older_than_an_hour_is_forgotten() -> None:
    reports = HardwareReports()
    reports.note("w", 1.0, 1.0, '{"system_context": {}}')
    reports.note_heartbeat("w", 10.0, b'{"system_context": {}, "gpus": [1, 2, 3]}')
    reports.keep_only({"w"}, 1.0 + module.STALE_SECONDS)
    (latest,) = reports.snapshot()
    assert latest.report is None
    assert latest.heartbeat is not None
    assert latest.heartbeat.body == '{"system_context":{},"hardware_context":null}', "the rest of it is not kept"
    reports.keep_only({"w"}, 10.0 + module.STALE_SECONDS)
    assert reports.snapshot() == []
    assert reports._bytes == 0


@pytest.mark.parametrize("body", [b"{}", b'{"system_context":null,"hardware_context":null}', b'{"gpus":[1]}'])
def test_a_heartbeat_without_hardware_is_not_kept(body: bytes) -> None:
    reports = HardwareReports()
    reports.note_heartbeat("w", 1.0, body)
    assert reports.snapshot() == []


def test_the_text_of_a_worker_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    reports = HardwareReports()
    body = '{"system_context": {"metrics": {"cpu": {"percent": %d}}}}'
    reports.note("w", 1.0, 1.0, body % 50)
    (first,) = reports.snapshot()
    assert lines_of(first)[0] == 'distributed_testing_worker_cpu_utilization_ratio{worker="w"} 0.5\n'
    reports.note("w", 2.0, 2.0, body % 25)
    with monkeypatch.context() as patch:
        patch.setattr(module, "_decode", None)  # decoding again would fail
        assert lines_of(first)[0].endswith(" 0.5\n")
    assert lines_of(reports.snapshot()[0])[0].endswith(" 0.25\n")


def test_all_text_together_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    reports = HardwareReports()
    for number in range(10):
        reports.note(f"w{number}", 1.0, 1.0, '{"system_context": {"metrics": {"cpu": {"percent": 50}}}}')
    monkeypatch.setattr(hardware_metrics, "MAX_TEXT", 3 * len(lines_of(reports.snapshot()[0])[0]))
    (family, *_) = hardware_metrics.hardware_families(reports.snapshot(), lambda: None)
    assert "".join(family.blocks(openmetrics=False)).count("} 0.5\n") == 3


def test_each_gpu_has_the_values_that_are_known_of_it() -> None:
    reports = HardwareReports()
    devices = [{"temperature": 70}, {"power_watts": 80}, {"index": 7, "temperature": 60.5, "power_watts": 0}]
    reports.note("w", 1.0, 1.0, json.dumps({"system_context": {"gpu_metrics": {"devices": devices}}}))
    lines = "".join(lines_of(reports.snapshot()[0])).replace("distributed_testing_worker_", "").splitlines()
    assert lines == [
        'gpu_temperature_celsius{gpu="0",worker="w"} 70.0',
        'gpu_temperature_celsius{gpu="7",worker="w"} 60.5',
        'gpu_power_watts{gpu="1",worker="w"} 80.0',
        'gpu_power_watts{gpu="7",worker="w"} 0.0',
        'gpu_last_seen_timestamp_seconds{worker="w"} 1.0',
    ]
