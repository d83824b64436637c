"""A text is read as the span of time that its writer means, in the writer's zone, also on days of 23 and 25 hours."""

import datetime as dt
import itertools
from zoneinfo import ZoneInfo

import pytest
from javascript import results

pytestmark = pytest.mark.html
BERLIN, NEW_YORK, KOLKATA, UTC = "Europe/Berlin", "America/New_York", "Asia/Kolkata", "UTC"
NOW = "2026-11-27 10:30"  # a Friday
SPRING, AUTUMN = "2026-03-29 12:00", "2026-10-25 12:00"  # in Berlin, the night before had 1 hour less, and 1 more
SPRING_NY, AUTUMN_NY = "2026-03-08 12:00", "2026-11-01 12:00"

# Zone, the wall's time when it is typed, the text, and from and to as the wall shows them; None: until now; a number: hours up to
# now. An offset tells the first from the second 02:30.
ROWS: list[tuple[str, str, str, tuple[str, str | None] | int]] = [
    (UTC, NOW, "last 3 h", 3),
    (UTC, NOW, "last 24 hours", 24),
    (UTC, NOW, "Last 7 Days", 168),
    (UTC, NOW, "past hour", 1),
    (UTC, NOW, "6h", 6),
    (UTC, NOW, "last 120 min", 2),
    (UTC, NOW, "last 90 min", ("2026-11-27 09:00", None)),
    (UTC, NOW, "last 1.5 h", ("2026-11-27 09:00", None)),
    (BERLIN, NOW, "last night 22–06", ("2026-11-26 22:00", "2026-11-27 06:00")),
    (BERLIN, NOW, "last night", ("2026-11-26 22:00", "2026-11-27 06:00")),
    (BERLIN, "2026-11-27 03:00", "last night", ("2026-11-26 22:00", None)),
    (BERLIN, "2026-11-27 23:10", "last night 22-06", ("2026-11-26 22:00", "2026-11-27 06:00")),
    (BERLIN, NOW, "last night 1-5", ("2026-11-27 01:00", "2026-11-27 05:00")),
    (BERLIN, "2026-11-27 00:30", "last night 1-5", ("2026-11-26 01:00", "2026-11-26 05:00")),
    (BERLIN, NOW, "last night, from 23:30 to 04:15", ("2026-11-26 23:30", "2026-11-27 04:15")),
    (NEW_YORK, NOW, "22:00–06:00", ("2026-11-26 22:00", "2026-11-27 06:00")),
    (NEW_YORK, "2026-11-27 23:00", "22:00–06:00", ("2026-11-27 22:00", None)),
    (NEW_YORK, "2026-11-27 21:59", "22 - 6", ("2026-11-26 22:00", "2026-11-27 06:00")),
    (NEW_YORK, NOW, "06:00 to 06:00", ("2026-11-27 06:00", None)),
    (NEW_YORK, NOW, "11:00-12:00", ("2026-11-26 11:00", "2026-11-26 12:00")),
    (NEW_YORK, NOW, "10 pm – 6 am", ("2026-11-26 22:00", "2026-11-27 06:00")),
    (NEW_YORK, NOW, "noon to midnight", ("2026-11-26 12:00", "2026-11-27 00:00")),
    (KOLKATA, NOW, "since 08:15", ("2026-11-27 08:15", None)),
    (KOLKATA, NOW, "since 14:00", ("2026-11-26 14:00", None)),
    (KOLKATA, NOW, "since yesterday", ("2026-11-26 00:00", None)),
    (KOLKATA, NOW, "since yesterday 18:00", ("2026-11-26 18:00", None)),
    (KOLKATA, NOW, "since Monday", ("2026-11-23 00:00", None)),
    (KOLKATA, NOW, "since 25 Nov", ("2026-11-25 00:00", None)),
    (KOLKATA, NOW, "today", ("2026-11-27 00:00", None)),
    (KOLKATA, NOW, "yesterday", ("2026-11-26 00:00", "2026-11-27 00:00")),
    (KOLKATA, NOW, "yesterday 14:00–15:30", ("2026-11-26 14:00", "2026-11-26 15:30")),
    (KOLKATA, NOW, "yesterday 22:00 - 06:00", ("2026-11-26 22:00", "2026-11-27 06:00")),
    (KOLKATA, NOW, "yesterday 22:00 – today 06:00", ("2026-11-26 22:00", "2026-11-27 06:00")),
    (KOLKATA, NOW, "Friday", ("2026-11-27 00:00", None)),
    (KOLKATA, NOW, "Saturday", ("2026-11-21 00:00", "2026-11-22 00:00")),
    (KOLKATA, NOW, "tue 22:00 – wed 06:00", ("2026-11-24 22:00", "2026-11-25 06:00")),
    (UTC, NOW, "25 Nov", ("2026-11-25 00:00", "2026-11-26 00:00")),
    (UTC, NOW, "November 25", ("2026-11-25 00:00", "2026-11-26 00:00")),
    (UTC, NOW, "25.11.", ("2026-11-25 00:00", "2026-11-26 00:00")),
    (UTC, NOW, "25.11.2025", ("2025-11-25 00:00", "2025-11-26 00:00")),
    (UTC, NOW, "24 Dec", ("2025-12-24 00:00", "2025-12-25 00:00")),
    (UTC, NOW, "29 Feb", ("2024-02-29 00:00", "2024-03-01 00:00")),
    (UTC, NOW, "2026-11-25", ("2026-11-25 00:00", "2026-11-26 00:00")),
    (UTC, NOW, "25 Nov – 26 Nov", ("2026-11-25 00:00", "2026-11-27 00:00")),
    (UTC, NOW, "28 Dec 2025 – 2 Jan", ("2025-12-28 00:00", "2026-01-03 00:00")),
    (BERLIN, NOW, "25 Nov 22:00 – 26 Nov 06:00", ("2026-11-25 22:00", "2026-11-26 06:00")),
    (BERLIN, NOW, "Wed 25 Nov 22:00 – Thu 26 Nov 06:00", ("2026-11-25 22:00", "2026-11-26 06:00")),
    (BERLIN, NOW, "25 Nov 22-06", ("2026-11-25 22:00", "2026-11-26 06:00")),
    (BERLIN, NOW, "22:00 – 26 Nov 06:00", ("2026-11-25 22:00", "2026-11-26 06:00")),
    (BERLIN, NOW, "26 Nov 22:00 – now", ("2026-11-26 22:00", None)),
    (BERLIN, NOW, "2026-11-25 22:00 - 2026-11-26 06:00", ("2026-11-25 22:00", "2026-11-26 06:00")),
    (BERLIN, NOW, "2026-11-25 22:00-06:00", ("2026-11-25 22:00", "2026-11-26 06:00")),
    (BERLIN, NOW, "2026-11-25T22:00 – 2026-11-26T06:00", ("2026-11-25 22:00", "2026-11-26 06:00")),
    (BERLIN, NOW, "2026-11-25T21:00:00Z/2026-11-26T05:00:00Z", ("2026-11-25 22:00", "2026-11-26 06:00")),
    (BERLIN, NOW, "2026-11-25T16:00-05:00 – 2026-11-26T00:00-05:00", ("2026-11-25 22:00", "2026-11-26 06:00")),
    (BERLIN, NOW, "since 2026-11-25T16:00-05:00", ("2026-11-25 22:00", None)),
    (BERLIN, NOW, "2026-11-25 21:00Z", ("2026-11-25 22:00", None)),
    # days of 23 and 25 hours
    (BERLIN, SPRING, "last night 22–06", ("2026-03-28 22:00", "2026-03-29 06:00")),
    (BERLIN, SPRING, "today", ("2026-03-29 00:00", None)),
    (BERLIN, "2026-03-30 09:00", "yesterday", ("2026-03-29 00:00", "2026-03-30 00:00")),
    (BERLIN, SPRING, "since 02:30", ("2026-03-29 03:00", None)),
    (BERLIN, SPRING, "01:00–02:30", ("2026-03-29 01:00", "2026-03-29 03:00")),
    (BERLIN, AUTUMN, "last night 22–06", ("2026-10-24 22:00", "2026-10-25 06:00")),
    (BERLIN, "2026-10-26 09:00", "yesterday", ("2026-10-25 00:00", "2026-10-26 00:00")),
    (BERLIN, AUTUMN, "since 02:30", ("2026-10-25 02:30+02:00", None)),
    (BERLIN, AUTUMN, "02:00–03:00", ("2026-10-25 02:00+02:00", "2026-10-25 03:00")),
    (BERLIN, AUTUMN, "22:00–02:30", ("2026-10-24 22:00", "2026-10-25 02:30+01:00")),
    (NEW_YORK, SPRING_NY, "last night 22–06", ("2026-03-07 22:00", "2026-03-08 06:00")),
    (NEW_YORK, SPRING_NY, "02:15–04:00", ("2026-03-08 03:00", "2026-03-08 04:00")),
    (NEW_YORK, AUTUMN_NY, "01:30–01:45", ("2026-11-01 01:30-04:00", "2026-11-01 01:45-05:00")),
    (NEW_YORK, "2026-11-02 09:00", "yesterday", ("2026-11-01 00:00", "2026-11-02 00:00")),
    (NEW_YORK, AUTUMN_NY, "last 24 h", 24),
]
LENGTHS = {  # hours that some of these last
    (BERLIN, SPRING, "last night 22–06"): 7, (BERLIN, AUTUMN, "last night 22–06"): 9,
    (BERLIN, "2026-03-30 09:00", "yesterday"): 23, (BERLIN, "2026-10-26 09:00", "yesterday"): 25,
    (BERLIN, AUTUMN, "02:00–03:00"): 2, (NEW_YORK, SPRING_NY, "last night 22–06"): 7,
    (NEW_YORK, "2026-11-02 09:00", "yesterday"): 25, (KOLKATA, NOW, "yesterday"): 24,
}  # fmt: skip

UNREADABLE = [
    "", "  ", "tomorrow week", "25:00", "22:61–06:00", "31 Feb", "32.11.", "13 pm", "abc – def", "–", "22–", "last", "last night x–y",
    "__proto__", "constructor", "5 __proto__", "<b>22–06</b>", "2026-13-01", "2026-11-25T25:00Z", "9" * 200, "25 Nov Dec", "last 0.5.5 h",
]  # fmt: skip
REFUSED = {
    "today 23:00": "has not begun", "2027-01-01": "has not begun", "today 09:00 – yesterday 10:00": "ends before it begins",
    "last 0 h": "has not begun", "2026-11-25 – 2026-11-20": "ends before", "since 1 Jan 1990": "3,650 days", "last 900000 days": "3,650 days",
}  # fmt: skip


def moment(said: str, zone: str) -> dt.datetime:
    found = dt.datetime.fromisoformat(said)
    return found if found.tzinfo else found.replace(tzinfo=ZoneInfo(zone))


def spans(zone: str, typed: list[tuple[str, str]]) -> list[dict[str, str | int | None]]:
    values = [[text, moment(now, zone).timestamp() * 1000] for now, text in typed]
    return results("span_text.js", "its.parse(value[0], value[1])", values, zone=zone)


def test_a_text_is_read_as_it_is_meant() -> None:
    for zone, of_zone in itertools.groupby(sorted(ROWS, key=lambda row: row[0]), key=lambda row: row[0]):
        rows = list(of_zone)
        found = spans(zone, [(now, text) for _, now, text, _ in rows])
        for (_, now, text, wanted), span in zip(rows, found, strict=True):
            where = f"{text!r} at {now} in {zone}"
            if isinstance(wanted, int):
                assert span == {"range": wanted}, where
                continue
            begin, end = (span.get("from"), span.get("to")) if "problem" not in span else (None, None)
            assert begin, f"{where}: {span}"
            assert dt.datetime.fromisoformat(str(begin)) == moment(wanted[0], zone), f"{where}: {span}"
            assert (end is None) == (wanted[1] is None), f"{where}: {span}"
            if wanted[1] is not None:
                assert dt.datetime.fromisoformat(str(end)) == moment(wanted[1], zone), f"{where}: {span}"
            if (zone, now, text) in LENGTHS:
                lasts = dt.datetime.fromisoformat(str(end)) - dt.datetime.fromisoformat(str(begin))
                assert lasts == dt.timedelta(hours=LENGTHS[zone, now, text]), where
    assert len(ROWS) >= 40
    assert set(LENGTHS) <= {row[:3] for row in ROWS}


def test_what_cannot_be_read_says_what_is_possible() -> None:
    for text, span in zip(UNREADABLE, spans(UTC, [(NOW, text) for text in UNREADABLE]), strict=True):
        assert list(span) == ["problem"], (text, span)
        assert "“last night 22–06”" in str(span["problem"]), text
        assert len(str(span["problem"])) < 300
    for (text, reason), span in zip(REFUSED.items(), spans(UTC, [(NOW, text) for text in REFUSED]), strict=True):
        assert reason in str(span.get("problem")), (text, span)
