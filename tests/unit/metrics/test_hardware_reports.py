"""The latest report of each worker, kept for its gauges."""

import msgspec
import pytest

from exporter.metrics import hardware_metrics as module
from exporter.metrics.hardware_metrics import HardwareReports

pytestmark = pytest.mark.dashboard


def test_of_each_worker_the_latest_report_is_kept() -> None:
    reports = HardwareReports()
    for moment, body in ((2.0, "b"), (1.0, "a"), (3.0, "x" * (module.MAX_BODY + 1)), (2.0, "c")):
        reports.note("w", moment, body)
    assert reports.snapshot() == [("w", (2.0, "c"))]


def test_beyond_the_bytes_the_reports_that_came_first_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BYTES", 10_000)
    reports = HardwareReports()
    for number in range(100):
        reports.note(f"w{number}", float(number), "x" * 900)
        reports.note("w0", float(number), "é" * 900)
    kept = dict(reports.snapshot())
    assert 8 <= len(kept) <= 10
    assert {"w0", "w99", "w98"} <= set(kept)
    for number in range(100):
        reports.note("w0", float(100 + number), "")
    assert set(dict(reports.snapshot())) == set(kept), "a report that is replaced is not counted any more"


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
