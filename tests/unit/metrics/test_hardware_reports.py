"""The latest report of each worker, kept for its gauges."""

import msgspec
import pytest

from exporter.metrics import hardware_metrics as module
from exporter.metrics.hardware_metrics import HardwareReports

pytestmark = pytest.mark.dashboard


def workers(reports: HardwareReports) -> set[str]:
    return {one.worker for one in reports.snapshot()}


def test_of_each_worker_the_latest_report_is_kept() -> None:
    reports = HardwareReports()
    for moment, body in ((2.0, "b"), (1.0, "a"), (3.0, "x" * (module.MAX_BODY + 1)), (2.0, "c")):
        reports.note("w", moment, body)
    assert [(one.worker, one.moment, one.body) for one in reports.snapshot()] == [("w", 2.0, "c")]


def test_beyond_the_bytes_the_reports_that_came_first_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BYTES", 10_000)
    reports = HardwareReports()
    for number in range(100):
        reports.note(f"w{number}", float(number), "x" * 900)
        reports.note("w0", float(number), "é" * 900)
    kept = workers(reports)
    assert 8 <= len(kept) <= 10
    assert {"w0", "w99", "w98"} <= kept
    for number in range(100):
        reports.note("w0", float(100 + number), "")
    assert workers(reports) == kept, "a report that is replaced is not counted any more"


def test_a_report_that_grew_is_taken_off_as_it_was_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Decoding a report makes its UTF-8 form, which Python keeps with the text."""
    monkeypatch.setattr(module, "MAX_BYTES", 10_000)
    reports = HardwareReports()
    for number in range(10):
        body = "µ" * 500 + str(number)
        reports.note("w", float(number), body)
        msgspec.json.encode(body)
    for number in range(100):
        reports.note(f"w{number}", 100.0, "x" * 900)
    assert 8 <= len(reports.snapshot()) <= 10


def test_reports_of_workers_that_are_no_longer_known_make_room() -> None:
    reports = HardwareReports()
    for name in "abc":
        reports.note(name, 1.0, "x" * 900)
    reports.keep_only({"b"})
    assert workers(reports) == {"b"}
    reports.keep_only(set())
    assert reports._bytes == 0


def test_the_text_of_a_report_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    reports = HardwareReports()
    body = '{"system_context": {"metrics": {"cpu": {"percent": %d}}}}'
    reports.note("w", 1.0, body % 50)
    (first,) = reports.snapshot()
    assert first.lines()[0] == 'distributed_testing_worker_cpu_utilization_ratio{worker="w"} 0.5\n'
    reports.note("w", 2.0, body % 25)
    with monkeypatch.context() as patch:
        patch.setattr(module, "_decode", None)  # decoding again would fail
        assert first.lines()[0].endswith(" 0.5\n")
    assert reports.snapshot()[0].lines()[0].endswith(" 0.25\n")
