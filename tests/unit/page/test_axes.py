"""The chart's axis names days and zones, in each zone and at the changes of daylight saving time; its numbers are whole."""

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from javascript import results

pytestmark = pytest.mark.html
BERLIN, NEW_YORK, KOLKATA, UTC = "Europe/Berlin", "America/New_York", "Asia/Kolkata", "UTC"


def ticks(zone: str, begin: str, end: str, width: int = 800) -> list[str]:
    """The labels, each as "text", or as "text|note" if it has a second line."""
    ends = [dt.datetime.fromisoformat(one).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000 for one in (begin, end)]
    (found,) = results("axes.js", "its.ticks(value[0], value[1], value[2])", [[*ends, width]], zone=zone)
    assert [one["at"] for one in found] == sorted({one["at"] for one in found})
    assert all(ends[0] <= one["at"] <= ends[1] for one in found)
    return [f"{one['text']}|{one['note']}" if one["note"] else one["text"] for one in found]


ROWS = [
    (UTC, "2026-11-26 10:30", "2026-11-27 10:30",
     ["12:00|Thu 26 Nov", "15:00", "18:00", "21:00", "00:00|Fri 27 Nov", "03:00", "06:00", "09:00"]),
    (KOLKATA, "2026-11-26 10:30", "2026-11-27 10:30",
     ["12:00|Thu 26 Nov", "15:00", "18:00", "21:00", "00:00|Fri 27 Nov", "03:00", "06:00", "09:00"]),
    (KOLKATA, "2026-11-27 10:02", "2026-11-27 10:31",
     ["10:05|Fri 27 Nov", "10:10", "10:15", "10:20", "10:25", "10:30"]),
    (BERLIN, "2026-11-20 10:30", "2026-11-27 10:30",
     ["21 Nov|Sat", "22 Nov|Sun", "23 Nov|Mon", "24 Nov|Tue", "25 Nov|Wed", "26 Nov|Thu", "27 Nov|Fri"]),
    (BERLIN, "2026-10-24 23:00", "2026-10-25 05:00",  # 7 hours
     ["23:00|Sat 24 Oct", "00:00|Sun 25 Oct", "01:00", "02:00|+02:00", "02:00|+01:00", "03:00", "04:00", "05:00"]),
    (BERLIN, "2026-03-28 23:00", "2026-03-29 06:00",  # 6 hours
     ["23:00|Sat 28 Mar", "00:00|Sun 29 Mar", "01:00", "03:00", "04:00", "05:00", "06:00"]),
    (NEW_YORK, "2026-10-31 23:00", "2026-11-01 04:00",
     ["23:00|Sat 31 Oct", "00:00|Sun 1 Nov", "01:00|−04:00", "01:00|−05:00", "02:00", "03:00", "04:00"]),
    (NEW_YORK, "2026-10-29 12:00", "2026-11-04 12:00",  # midnights, although a day has 25 hours
     ["30 Oct|Fri", "31 Oct|Sat", "1 Nov|Sun", "2 Nov|Mon", "3 Nov|Tue", "4 Nov|Wed"]),
]  # fmt: skip


@pytest.mark.parametrize(("zone", "begin", "end", "wanted"), ROWS)
def test_a_time_axis_names_days_and_zones(zone: str, begin: str, end: str, wanted: list[str]) -> None:
    assert ticks(zone, begin, end) == wanted


def test_labels_fit_into_the_width() -> None:
    for width in (150, 320, 800, 1300):
        for end in ("2026-11-01 00:01", "2026-11-01 01:00", "2026-11-03 00:00", "2026-12-20 00:00", "2032-01-01 00:00"):
            assert 0 < len(ticks(UTC, "2026-11-01 00:00", end, width)) <= width // 76 + 1, (width, end)
    assert ticks(UTC, "2020-06-01 00:00", "2026-06-01 00:00")[0].endswith("|2020")


def test_numbers_are_whole_and_round() -> None:
    highest = [0, 1, 2, 3, 5, 9, 10, 38, 90, 101, 999, 12_345, 1_000_000]
    found = results("axes.js", "its.scale(value)", highest)
    assert found[:5] == [
        {"most": 1, "step": 1}, {"most": 1, "step": 1}, {"most": 2, "step": 1}, {"most": 3, "step": 1}, {"most": 6, "step": 2},
    ]  # fmt: skip
    for count, axis in zip(highest, found, strict=True):
        assert axis["most"] >= count
        assert axis["most"] % axis["step"] == 0
        assert axis["most"] / axis["step"] <= 5
        assert axis["step"] == int(axis["step"]) >= 1
