"""The module for programs outside of the service reads times as the service does."""

import datetime as dt
import zoneinfo

import pytest

from exporter.report import event_time, parse_report

pytestmark = pytest.mark.dashboard


def test_the_repeated_hour_takes_the_reading_nearer_to_the_receipt() -> None:
    received = dt.datetime(2026, 11, 1, 6, 10, 2, tzinfo=dt.UTC)
    moment = event_time("2026-11-01T01:10:00", received, zoneinfo.ZoneInfo("America/New_York"))
    assert moment == dt.datetime(2026, 11, 1, 6, 10, tzinfo=dt.UTC)


def test_a_report_is_parsed_as_at_ingest() -> None:
    report, _, dropped = parse_report(b'{"worker_id": 7, "message": "m"}')
    assert (report.worker_id, list(dropped)) == ("7", [])
