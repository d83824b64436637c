"""Which moment the `timestamp` of a report means: every spelling that is read, and what is no time."""

import datetime as dt
import zoneinfo
from typing import Any

import pytest

from exporter.ingest.times import EARLIEST, LATEST, event_time, read_time

pytestmark = pytest.mark.dashboard
NOW = dt.datetime(2026, 3, 15, 12, tzinfo=dt.UTC)
TEN = dt.datetime(2026, 3, 15, 10, tzinfo=dt.UTC)
BERLIN, NEW_YORK = zoneinfo.ZoneInfo("Europe/Berlin"), zoneinfo.ZoneInfo("America/New_York")
MILLI, MICRO = dt.timedelta(milliseconds=1), dt.timedelta(microseconds=1)
SECOND = int(TEN.timestamp())

WITH_OFFSET: list[tuple[Any, dt.datetime]] = [
    # ISO 8601, and what programs write instead
    ("2026-03-15T10:00:00Z", TEN),
    ("2026-03-15t10:00:00z", TEN),
    ("2026-03-15T10:00:00+00:00", TEN),
    ("2026-03-15T12:00:00+02:00", TEN),
    ("2026-03-15T05:30:00-0430", TEN),
    ("2026-03-15 10:00:00+00", TEN),
    ("2026-03-15T10:00Z", TEN),
    ("  2026-03-15T10:00:00Z\n", TEN),
    ("2026-03-15T10:00:00.5Z", TEN + 500 * MILLI),
    ("2026-03-15 10:00:00,123+00:00", TEN + 123 * MILLI),
    ("2026-03-15T10:00:00.123456789Z", TEN + 123_456 * MICRO),
    ("20260315T100000Z", TEN),
    ("20260315t100000z", TEN),
    ("2026-W11-7T10:00:00Z", TEN),
    ("2026-w11-7t10:00:00z", TEN),
    ("2026-03-15T10:00:00.000 UTC", TEN),
    ("2026-03-15 10:00:00 GMT", TEN),
    ("2026-03-15 10:00:00 +0000", TEN),
    ("2026-03-15 11:00:00.5 +0100 CET", TEN + 500 * MILLI),
    ("2026-03-15 10:00:00.000000001 +0000 UTC m=+0.000012", TEN),
    ("2026-03-15T11:00:00+01:00[Europe/Berlin]", TEN),
    ("2026/03/15 10:00:00 +00:00", TEN),
    ("2026-03-15T24:00:00Z", TEN + dt.timedelta(hours=14)),
    # leap seconds
    ("2016-12-31T23:59:60Z", dt.datetime(2017, 1, 1, tzinfo=dt.UTC)),
    ("2017-01-01T00:59:60.25+01:00", dt.datetime(2017, 1, 1, 0, 0, 0, 250_000, dt.UTC)),
    # mail, HTTP, C, logs of web servers
    ("Sun, 15 Mar 2026 10:00:00 GMT", TEN),
    ("Sun, 15 Mar 2026 05:00:00 -0500 (EST)", TEN),
    ("15 mar 2026 10:00 +0000", TEN),
    ("Sunday, 15-Mar-2026 10:00:00 UTC", TEN),
    ("15/Mar/2026:10:00:00 +0000", TEN),
    ("Sun Mar 15 10:00:00 UTC 2026", TEN),
    ("Sun Mar  1 10:00:00 UTC 2026", TEN - dt.timedelta(days=14)),
    # epoch: seconds, milli-, micro-, nanoseconds
    (SECOND, TEN),
    (SECOND + 0.5, TEN + 500 * MILLI),
    (SECOND * 10**3 + 123, TEN + 123 * MILLI),
    (SECOND * 10**6 + 123, TEN + 123 * MICRO),
    (SECOND * 10**9 + 123_456, TEN + 123 * MICRO),
    (float(SECOND * 10**3), TEN),
    (f"{SECOND}", TEN),
    (f"+{SECOND}", TEN),
    (f"{SECOND}.25", TEN + 250 * MILLI),
    (f"{SECOND}.", TEN),
    (f"{SECOND}000", TEN),
    (f"{SECOND}000000", TEN),
    (f"{SECOND}000000000", TEN),
    ("1.7735688e9", TEN),
    ("1.7735688E+09", TEN),
    ("1711092812345", dt.datetime(2024, 3, 22, 7, 33, 32, 345_000, dt.UTC)),  # not the year 1711
    ("1711092812", dt.datetime(2024, 3, 22, 7, 33, 32, tzinfo=dt.UTC)),
    (0, dt.datetime(1970, 1, 1, tzinfo=dt.UTC)),
    (-1, dt.datetime(1969, 12, 31, 23, 59, 59, tzinfo=dt.UTC)),
    # the ends of the calendar
    ("0001-01-01T00:00:00Z", EARLIEST),
    ("0001-01-01T00:00:00+14:00", EARLIEST),
    ("9999-12-31T23:59:59-14:00", LATEST),
    ("9999-12-31T23:59:60Z", LATEST),
    (-99_999_999_999, EARLIEST),
    (-99_999_999_999.5, EARLIEST),
]

WITHOUT_OFFSET: list[tuple[str, dt.datetime]] = [  # read in UTC
    ("2026-03-15T10:00:00", TEN),
    ("2026-03-15 10:00:00.5", TEN + 500 * MILLI),
    ("2026-03-15 10:00:00,123", TEN + 123 * MILLI),
    ("2026/03/15 10:00:00", TEN),
    ("20260315T100000", TEN),
    ("20260315100000", TEN),
    ("20260315100000123", TEN + 123 * MILLI),
    ("Sun Mar 15 10:00:00 2026", TEN),
    ("15-Mar-2026 10:00:00", TEN),
]

NO_TIME: list[Any] = [
    "yesterday", "now", "true", "?", "2026-13-01T00:00:00Z", "2026-02-30", "2026-03-15T25:00:00Z",
    "2026-03-15T10:00:61Z", "Nov 25 09:00:00", "<34>Oct 11 22:14:15 host su:", "03/15/2026 10:00:00", "15.03.2026 10:00",
    "2026-03-15 10:00:00 CET", "2026-03-15 10:00:00[Europe/Berlin]", "2026-03-15 10:00:00 PM", "10:00:00",
    "15 Abc 2026 10:00:00", "2026-03-15T10:00:00+25:00", "1" * 21, "0x67d5", "1e-3", "1_773_568_800", "٢٠٢٦-٠٣-١٥", "\0", "Z",
    "2026-03-15T10:00:00Z" + " " * 100 + "Z", "9" * 10_000, True, False, [None], [SECOND], {}, {"seconds": SECOND},
    1e20, -1e20, 1e308, float("inf"), float("nan"), 10**30,
]  # fmt: skip


@pytest.mark.parametrize(("value", "expected"), WITH_OFFSET, ids=lambda value: repr(value)[:60])
@pytest.mark.parametrize("zone", [None, BERLIN])
def test_a_time_that_says_its_offset(value: Any, expected: dt.datetime, zone: dt.tzinfo | None) -> None:
    assert event_time(value, NOW, zone) == expected
    said = read_time(value, NOW, zone)
    assert said is not None
    assert not said.naive
    assert said.moment.tzinfo is dt.UTC


@pytest.mark.parametrize(("value", "expected"), WITHOUT_OFFSET)
def test_a_time_without_an_offset_is_read_in_the_zone(value: str, expected: dt.datetime) -> None:
    assert read_time(value, NOW, dt.UTC) == (expected, True)
    assert event_time(value, NOW, BERLIN) == expected - dt.timedelta(hours=1)
    local = expected.replace(tzinfo=None).astimezone(dt.UTC)  # the machine's zone
    assert event_time(value, NOW, None) == local


@pytest.mark.parametrize("value", ["2026-03-15", " 20260315 ", "2026-W11-7"])
def test_a_day_is_its_midnight_and_tells_nothing_of_a_zone(value: str) -> None:
    assert read_time(value, NOW, dt.UTC) == (dt.datetime(2026, 3, 15, tzinfo=dt.UTC), False)
    assert event_time(value, NOW, BERLIN) == dt.datetime(2026, 3, 14, 23, tzinfo=dt.UTC)


@pytest.mark.parametrize("value", [None, "", "  ", "\t\n", "N/A", "none", "nan", []])
def test_an_absent_time_is_the_receipt(value: str | None) -> None:
    assert read_time(value, NOW, None) is None
    assert event_time(value, NOW, None) is NOW


@pytest.mark.parametrize("value", NO_TIME, ids=lambda value: repr(value)[:40])
def test_what_is_no_time_is_not_guessed(value: Any) -> None:
    with pytest.raises(ValueError, match=r".*"):
        event_time(value, NOW, BERLIN)


@pytest.mark.parametrize(
    ("zone", "text", "received", "expected"),
    [
        # the hour that is repeated when the clocks go back
        (NEW_YORK, "2026-11-01T01:10:00", "2026-11-01T06:10:02", "2026-11-01T06:10:00"),  # its second time
        (NEW_YORK, "2026-11-01T01:10:00", "2026-11-01T05:10:02", "2026-11-01T05:10:00"),  # its first time
        (NEW_YORK, "2026-11-01T01:10:00", "2026-11-01T05:41:00", "2026-11-01T05:10:00"),  # the other is ahead
        (NEW_YORK, "2026-11-01T01:10:00", "2026-11-01T06:04:00", "2026-11-01T05:10:00"),  # by more than 5 minutes
        (NEW_YORK, "2026-11-01T01:10:00", "2026-11-01T06:06:00", "2026-11-01T06:10:00"),  # by less
        (NEW_YORK, "2026-11-01T01:10:00", "2026-11-01T04:00:00", "2026-11-01T05:10:00"),  # both are ahead
        (NEW_YORK, "2026-11-01T01:10:00", "2026-11-02T00:00:00", "2026-11-01T06:10:00"),  # a day late
        (NEW_YORK, "2026-11-01T02:10:00", "2026-11-01T07:10:02", "2026-11-01T07:10:00"),
        (BERLIN, "2026-10-25 02:30:00", "2026-10-25T01:30:01", "2026-10-25T01:30:00"),
        (BERLIN, "2026-10-25 02:30:00", "2026-10-25T00:30:01", "2026-10-25T00:30:00"),
        # the hour that is skipped when the clocks go forward
        (NEW_YORK, "2026-03-08T02:30:00", "2026-03-08T07:30:02", "2026-03-08T07:30:00"),
        (NEW_YORK, "2026-03-08T02:30:00", "2026-03-08T06:30:02", "2026-03-08T06:30:00"),
        (NEW_YORK, "2026-03-08T03:30:00", "2026-03-08T07:30:02", "2026-03-08T07:30:00"),
    ],
)
def test_daylight_saving_time(zone: dt.tzinfo, text: str, received: str, expected: str) -> None:
    receipt = dt.datetime.fromisoformat(received).replace(tzinfo=dt.UTC)
    assert event_time(text, receipt, zone) == dt.datetime.fromisoformat(expected).replace(tzinfo=dt.UTC)
