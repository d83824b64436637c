"""When an error counts: at the time that its report says, if that is believed, else at its receipt."""

import datetime as dt
import json
import random
import statistics
import string
import time
import zoneinfo
from typing import Any

import pytest

from exporter.ingest import report_times
from exporter.ingest.report_times import MAX_REPORTED, ReportTime, ReportTimes, in_words
from exporter.ingest.times import event_time

pytestmark = pytest.mark.dashboard
NOW = dt.datetime(2026, 3, 15, 12, tzinfo=dt.UTC)
BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")
SECOND, DAY = dt.timedelta(seconds=1), dt.timedelta(days=1)


def read(value: Any, *, importing: bool = False, zone: dt.tzinfo | None = dt.UTC, **more: Any) -> ReportTime:
    return ReportTimes(zone, **more).of(value, "w", NOW, importing=importing)


@pytest.mark.parametrize(
    "moment",
    [NOW, NOW - SECOND, NOW - 6 * DAY, NOW - 7 * DAY, NOW + 299 * SECOND, NOW + 300 * SECOND, NOW - 300 * SECOND],
)
@pytest.mark.parametrize("spell", [dt.datetime.isoformat, lambda at: at.timestamp(), lambda at: at.ctime()])
def test_a_time_that_can_be_is_believed(moment: dt.datetime, spell: Any) -> None:
    assert read(spell(moment)) == ReportTime(moment, moment)


@pytest.mark.parametrize("value", [None, "", " ", "NaT", "<NA>", "N/A"])
@pytest.mark.parametrize("importing", [False, True])
def test_an_absent_time_is_the_receipt_without_a_warning(value: str | None, importing: bool) -> None:
    assert read(value, importing=importing) == ReportTime(NOW, NOW)


@pytest.mark.parametrize(
    ("value", "said", "reported_at", "why", "instead"),
    [
        ("0001-01-01T00:00:00Z", dt.datetime.min.replace(tzinfo=dt.UTC), "0001-01-01T00:00:00Z",
         "is more than 7 days before the receipt", "?import=true"),
        (0, dt.datetime(1970, 1, 1, tzinfo=dt.UTC), "0", "more than 7 days before", "clock"),
        ("2015-01-01T00:03:11Z", dt.datetime(2015, 1, 1, 0, 3, 11, tzinfo=dt.UTC), "2015-01-01T00:03:11Z",
         "more than 7 days before", "clock"),
        ("1711092812345", dt.datetime(2024, 3, 22, 7, 33, 32, 345_000, dt.UTC), "1711092812345", "7 days before", "clock"),
        ((NOW - 7 * DAY - SECOND).isoformat(), NOW - 7 * DAY - SECOND, (NOW - 7 * DAY - SECOND).isoformat(),
         "7 days before", "clock"),
        ("2026-03-15T12:05:01Z", NOW + 301 * SECOND, "2026-03-15T12:05:01Z", "more than 5 minutes ahead", "clock"),
        ("2026-03-15T14:00:00", NOW + 7_200 * SECOND, "2026-03-15T14:00:00", "5 minutes ahead", "offset of its zone"),
        ("9999-12-31T23:59:59Z", dt.datetime(9999, 12, 31, 23, 59, 59, tzinfo=dt.UTC), "9999-12-31T23:59:59Z", "ahead", ""),
        ("Nov 25 09:00:00", NOW, "Nov 25 09:00:00", "is no time that can be read", "Send ISO 8601 with an offset"),
        ("yesterday", NOW, "yesterday", "no time", "epoch seconds"),
        ([1, "a"], NOW, '[1, "a"]', "timestamp [1, \"a\"] is no time", "Send"),
        ({"t": None}, NOW, '{"t": null}', "no time", "Send"),
        (True, NOW, "true", "timestamp true is no time", "Send"),
        (10**30, NOW, "1" + "0" * 30, "no time", "Send"),
    ],
)  # fmt: skip
def test_what_is_not_believed_counts_at_the_receipt(
    value: Any, said: dt.datetime, reported_at: str, why: str, instead: str
) -> None:
    found = read(value)
    assert (found.moment, found.said, found.reported_at, found.imported) == (NOW, said, reported_at, False)
    (warning,) = found.warnings
    assert warning.startswith("timestamp ")
    assert why in warning
    assert "the error counts at its receipt" in warning
    assert instead in warning


def test_the_age_is_a_setting() -> None:
    old = (NOW - 2 * DAY).isoformat()
    assert read(old, max_age=2 * DAY).moment == NOW - 2 * DAY
    found = read(old, max_age=dt.timedelta(hours=36))
    assert found.moment == NOW
    assert "more than 36 hours before the receipt" in found.warnings[0]


@pytest.mark.parametrize(
    ("span", "words"),
    [
        (7 * DAY, "7 days"),
        (DAY, "1 day"),
        (DAY / 24, "1 hour"),
        (300 * SECOND, "5 minutes"),
        (3601 * SECOND, "3601 seconds"),
    ],
)
def test_a_span_in_words(span: dt.timedelta, words: str) -> None:
    assert in_words(span) == words


@pytest.mark.parametrize(
    ("value", "moment", "imported"),
    [
        ("2015-01-01T00:00:00Z", dt.datetime(2015, 1, 1, tzinfo=dt.UTC), True),
        ("1971-01-01T00:00:00Z", dt.datetime(1971, 1, 1, tzinfo=dt.UTC), True),
        (1_420_070_400_000, dt.datetime(2015, 1, 1, tzinfo=dt.UTC), True),
        ((NOW - 301 * SECOND).isoformat(), NOW - 301 * SECOND, True),
        (
            (NOW - 300 * SECOND).isoformat(),
            NOW - 300 * SECOND,
            False,
        ),  # live: an address with ?import=true hides nothing
        (NOW.isoformat(), NOW, False),
    ],
)
def test_an_import_believes_old_times(value: Any, moment: dt.datetime, imported: bool) -> None:
    assert read(value, importing=True) == ReportTime(moment, moment, imported=imported)


@pytest.mark.parametrize(
    "value", ["1970-12-31T23:59:59Z", 0, "0001-01-01T00:00:00Z", "2026-03-15T13:00:00Z", "soon", [0]]
)
def test_an_import_does_not_believe_everything(value: Any) -> None:
    found = read(value, importing=True)
    assert (found.moment, found.imported, len(found.warnings)) == (NOW, False, 1)
    assert "?import=true" not in found.warnings[0]


def test_what_is_kept_and_shown_of_a_timestamp_is_bounded_and_printable() -> None:
    found = read("\x1b[31m\nDROP\u202e" * 1_000)
    assert found.reported_at is not None
    assert len(found.reported_at) == MAX_REPORTED
    for text in (found.reported_at, *found.warnings):
        assert text.isprintable()
        assert len(text) < 250


def test_a_worker_in_a_wrong_zone_is_named_with_each_of_its_errors() -> None:
    times = ReportTimes(dt.UTC)
    found = [times.of(f"2026-03-15T10:00:{n:02}", "gpu-node-3", NOW + n * SECOND) for n in range(8)]  # two hours behind
    assert [len(one.warnings) for one in found] == [0, 0, 0, 0, 1, 1, 1, 1]
    (warning,) = found[-1].warnings
    assert "gpu-node-3 sends times without an offset that are 2 h behind" in warning
    assert found[-1].moment == NOW - 2 * 3_600 * SECOND + 7 * SECOND  # named, not corrected
    assert (found[0].offset, found[-1].offset) == (0, -7_200)
    assert found[-1].reported_at is None
    assert times.offsets.found == {"gpu-node-3": -7_200}
    right = times.of("2026-03-15T12:01:00", "gpu-node-3", NOW + 60 * SECOND)
    assert right.warnings == ()
    assert times.offsets.found == {}


@pytest.mark.parametrize("value", ["2026-03-15", " 20260315 ", "2026-W11-7"])
def test_the_day_of_the_receipt_does_not_make_an_error_hours_old(value: str) -> None:
    found = read(value)
    assert (found.moment, found.said, found.reported_at) == (NOW, NOW - 12 * 3_600 * SECOND, value)
    assert "is a day without a time: the error counts at its receipt. Send the time" in found.warnings[0]
    assert read(value, importing=True).moment == NOW - 12 * 3_600 * SECOND


def test_an_earlier_day_is_its_midnight() -> None:
    assert read("2026-03-14") == ReportTime(NOW - 36 * 3_600 * SECOND, NOW - 36 * 3_600 * SECOND)
    assert read("1773576000") == ReportTime(NOW, NOW)  # as long as a date, but epoch seconds


@pytest.mark.parametrize("value", ["2026-03-15T12:00:09Z", "2026-03-15T13:00:09+01:00", 1_773_576_009, None])
def test_a_worker_that_sends_the_offset_is_not_named_any_more(value: Any) -> None:
    times = ReportTimes(dt.UTC)
    for n in range(8):
        times.of(f"2026-03-15T10:00:{n:02}", "w", NOW + n * SECOND)
    times.of("2026-03-15T12:00:09Z", "another", NOW + 9 * SECOND)
    assert times.offsets.found == {"w": -7_200}
    times.of(value, "w", NOW + 9 * SECOND)
    assert times.offsets.found == {}


def test_a_worker_ahead_counts_at_the_receipt_and_is_named_too() -> None:
    times = ReportTimes(BERLIN)
    found = [times.of(f"2026-03-15T18:30:{n:02}", "w", NOW + n * SECOND) for n in range(6)]
    assert [len(one.warnings) for one in found] == [1, 1, 1, 1, 2, 2]
    assert found[-1].moment == NOW + 5 * SECOND
    assert found[-1].reported_at == "2026-03-15T18:30:05"
    assert "ahead of the receipt" in found[-1].warnings[0]
    assert "5.5 h ahead" in found[-1].warnings[1]


@pytest.mark.parametrize("value", ["2026-03-15T10:00:00Z", "2026-03-15", 1_773_568_800, None, "yesterday"])
def test_times_that_depend_on_no_zone_name_no_worker(value: Any) -> None:
    times = ReportTimes(dt.UTC)
    for n in range(20):
        times.of(value, "w", NOW + n * SECOND)
    assert times.offsets.found == {}


def test_an_import_names_no_worker() -> None:
    times = ReportTimes(dt.UTC)
    for n in range(20):
        times.of("2026-03-15T10:00:00", "w", NOW + n * SECOND, importing=True)
    assert times.offsets.found == {}


@pytest.mark.parametrize("zone", [None, dt.UTC, BERLIN, zoneinfo.ZoneInfo("America/New_York")])
def test_the_short_way_reads_as_the_long_one(zone: dt.tzinfo | None) -> None:
    """Also in the hours that daylight saving time repeats and skips, where a minute has no single offset."""
    random.seed(20261115)
    times = ReportTimes(zone)
    for begin in ("2026-03-08T05:00", "2026-03-29T00:00", "2026-10-24T23:00", "2026-11-01T04:00"):
        for _ in range(500):
            receipt = dt.datetime.fromisoformat(begin + "+00:00") + dt.timedelta(seconds=random.randrange(4 * 3600))
            local = receipt.astimezone(zone).replace(tzinfo=None) - dt.timedelta(seconds=random.randrange(200))
            for spelled in (
                local.isoformat(),
                local.isoformat(" ", "milliseconds"),
                local.isoformat(timespec="minutes"),
            ):
                assert times.of(spelled, "w", receipt).said == event_time(spelled, receipt, zone)
    assert times.offsets.found == {}


def test_the_offsets_of_minutes_are_few() -> None:
    times = ReportTimes(BERLIN)
    for n in range(3 * report_times.MAX_MINUTES):
        receipt = NOW + dt.timedelta(minutes=n)
        times.of(receipt.astimezone(BERLIN).replace(tzinfo=None).isoformat(), "w", receipt)
    assert len(times._minutes) == report_times.MAX_MINUTES


def any_json(depth: int = 0) -> Any:
    kind = random.randrange(12 if depth < 3 else 9)
    if kind < 3:
        return "".join(random.choices(string.printable + "äß€😀\0\u2028٣TZ:-+0123456789", k=random.randrange(40)))
    if kind < 5:  # a time with a few wrong characters
        text = list(
            random.choice(["2026-03-15T12:00:00Z", "Sun, 15 Mar 2026 10:00:00 GMT", "1773576000.123", "20260315120000"])
        )
        for _ in range(random.randrange(4)):
            text[random.randrange(len(text))] = random.choice(string.printable)
        return "".join(text)
    if kind == 5:
        return random.choice([-1, 1]) * random.getrandbits(random.randrange(1, 70))
    if kind == 6:
        return random.choice([-1, 1]) * 10 ** random.uniform(-300, 300)
    if kind == 7:
        return random.choice([None, True, False, "", float("nan"), float("inf"), -0.0, 2**63, -(2**63)])
    if kind == 8:
        moment = NOW + dt.timedelta(seconds=random.uniform(-1e9, 1e9))
        return random.choice(
            [moment.isoformat(), moment.replace(tzinfo=None).isoformat(" "), moment.ctime(), moment.timestamp()]
        )
    if kind < 11:
        return [any_json(depth + 1) for _ in range(random.randrange(4))]
    return {str(n): any_json(depth + 1) for n in range(random.randrange(3))}


@pytest.mark.parametrize("zone", [None, BERLIN])
def test_no_value_raises_or_hides_an_error(zone: dt.tzinfo | None) -> None:
    random.seed(20261114)
    times = ReportTimes(zone)
    for _ in range(30_000):
        value = any_json()
        for importing in (False, True):
            found = times.of(value, "w", NOW, importing=importing)
            assert found.moment.tzinfo is dt.UTC
            assert NOW - found.moment <= 7 * DAY or found.imported
            assert found.moment - NOW <= 300 * SECOND
            assert (found.reported_at is None) or (found.moment == NOW and found.warnings)
            json.dumps((found.reported_at, found.warnings)).encode()


def test_the_usual_times_are_read_as_fast_as_before() -> None:
    """Compared with the reading of the releases before, in turns."""

    def before(value: str, received_at: dt.datetime, zone: dt.tzinfo | None) -> dt.datetime:
        try:
            moment = dt.datetime.fromisoformat(value.strip())
            if moment.tzinfo is None and zone is not None:
                moment = moment.replace(tzinfo=zone)
            moment = moment.astimezone(dt.UTC)
        except (ValueError, OverflowError, OSError):
            raise
        return received_at if moment - received_at > 300 * SECOND else moment

    def seconds(call: Any, *arguments: Any) -> float:
        began = time.process_time()
        for _ in range(2_000):
            call(*arguments)
        return time.process_time() - began

    for text in ("2026-03-15T11:59:59.123456Z", "2026-03-15T12:59:59.123456+01:00", "2026-03-15T12:59:59.123456"):
        of = ReportTimes(BERLIN).of
        ratios = [seconds(of, text, "w", NOW) / seconds(before, text, NOW, BERLIN) for _ in range(15)]
        assert statistics.median(ratios) < 1.4, text
