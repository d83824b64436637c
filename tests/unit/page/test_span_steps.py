"""Spans before, after and around a span; those to compare with; also over days of 23 and 25 hours."""

import datetime as dt
import json
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from javascript import BROWSER, PAGE, results

pytestmark = pytest.mark.html
BERLIN = ZoneInfo("Europe/Berlin")
NOW = "2026-11-27 10:30"


def at(wall: str | None) -> str | None:
    if wall is None:
        return None
    moment = dt.datetime.fromisoformat(wall).replace(tzinfo=BERLIN).astimezone(dt.UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def span(*walls: str | None, hours: int = 24) -> dict[str, Any]:
    begin, end = walls or (None, None)
    return {"range": hours, "from": at(begin), "to": at(end)}


def step(name: str, state: dict[str, Any], now: str = NOW) -> Any:
    ms = dt.datetime.fromisoformat(str(at(now))).timestamp() * 1000
    return results("span_steps.js", f"its.{name}(value, {ms})", [state], zone="Europe/Berlin")[0]


def ends(*walls: str | None) -> dict[str, Any]:
    return {"from": at(walls[0]), "to": at(walls[1])}


@pytest.mark.parametrize(("name", "state", "now", "wanted"), [
    ("before", span(), NOW, ends("2026-11-25 10:30", "2026-11-26 10:30")),
    ("before", span("2026-11-26 22:00", "2026-11-27 06:00"), NOW, ends("2026-11-26 14:00", "2026-11-26 22:00")),
    ("before", span("2026-11-27 09:30", None), NOW, ends("2026-11-27 08:30", "2026-11-27 09:30")),
    ("before", span("2026-10-26 00:00", "2026-10-27 00:00"), NOW, ends("2026-10-25 00:00", "2026-10-26 00:00")),  # of 25 hours
    ("before", span("2026-10-25 00:00", "2026-10-26 00:00"), NOW, ends("2026-10-24 00:00", "2026-10-25 00:00")),
    ("after", span(), NOW, None),
    ("after", span("2026-11-27 09:30", None), NOW, None),
    ("after", span("2026-11-26 22:00", "2026-11-27 06:00"), NOW, ends("2026-11-27 06:00", None)),
    ("after", span("2026-11-26 14:00", "2026-11-26 22:00"), NOW, ends("2026-11-26 22:00", "2026-11-27 06:00")),
    ("after", span("2026-03-28 00:00", "2026-03-29 00:00"), NOW, ends("2026-03-29 00:00", "2026-03-30 00:00")),  # of 23 hours
    ("wider", span(hours=6), NOW, {"range": 12, "from": None, "to": None}),
    ("wider", span(hours=87_600), NOW, {"range": 87_600, "from": None, "to": None}),
    ("wider", span("2026-11-26 08:00", "2026-11-26 10:00"), NOW, ends("2026-11-26 07:00", "2026-11-26 11:00")),
    ("wider", span("2026-11-27 08:30", "2026-11-27 10:00"), NOW, ends("2026-11-27 07:30", None)),  # would end after now
    ("wider", span("2026-11-27 08:30", None), NOW, ends("2026-11-27 06:30", None)),
])  # fmt: skip
def test_a_step(name: str, state: dict[str, Any], now: str, wanted: dict[str, Any] | None) -> None:
    assert step(name, state, now) == wanted


@pytest.mark.parametrize(("how", "state", "wanted"), [
    ("before", span(hours=6), ("2026-11-26 22:30", "2026-11-27 04:30")),
    ("yesterday", span(hours=6), ("2026-11-26 04:30", "2026-11-26 10:30")),
    ("yesterday", span("2026-11-26 22:00", "2026-11-27 06:00"), ("2026-11-25 22:00", "2026-11-26 06:00")),
    ("yesterday", span("2026-10-25 01:00", "2026-10-25 06:00"), ("2026-10-24 01:00", "2026-10-24 06:00")),  # 6 hours and 5
    ("yesterday", span("2026-03-30 01:00", "2026-03-30 06:00"), ("2026-03-29 01:00", "2026-03-29 06:00")),  # 5 hours and 4
    ("yesterday", span(), ("2026-11-25 10:30", "2026-11-26 10:30")),
    ("yesterday", span(hours=168), ("2026-11-13 10:30", "2026-11-20 10:30")),  # the same hours, not those of the span
])  # fmt: skip
def test_the_compared_span(how: str, state: dict[str, Any], wanted: tuple[str, str]) -> None:
    ms = dt.datetime.fromisoformat(str(at(NOW))).timestamp() * 1000
    (found,) = results("span_steps.js", f"its.compared(value, '{how}', {ms})", [state], zone="Europe/Berlin")
    assert [
        dt.datetime.fromtimestamp(found[one] / 1000, BERLIN).strftime("%Y-%m-%d %H:%M") for one in ("begin", "end")
    ] == list(wanted)


@pytest.mark.parametrize(("day", "hours", "width", "wanted"), [
    # Yesterday's error of each hour, 0 to 5, is at the same hour of the clock; the hour that comes twice is compared twice.
    ("2026-10-25", 7, 1, [1, 1, 1, 1, 1, 1, 1]),
    ("2026-03-29", 5, 1, [1, 2, 1, 1, 1]),  # today has no 02:00
    ("2026-10-26", 6, 1, [1, 1, 2, 1, 1, 1]),  # yesterday had 02:00 twice
    ("2026-11-27", 6, 1, [1, 1, 1, 1, 1, 1]),
    # In its wider or narrower buckets, each error counts once.
    ("2026-11-27", 6, 2, [1, 0, 1, 0, 1, 0]),
    ("2026-11-27", 6, 0.5, [2, 2, 2, 2, 2, 2]),
])  # fmt: skip
def test_each_bucket_is_compared_with_the_same_time_of_the_clock(
    day: str, hours: int, width: float, wanted: list[int]
) -> None:
    def series(day: dt.date, count: float, width: float) -> dict[str, Any]:
        begin = dt.datetime.combine(day, dt.time(), BERLIN).timestamp()
        starts = [dt.datetime.fromtimestamp(begin + n * width * 3600, dt.UTC).isoformat() for n in range(int(count))]
        points = [{"timestamp": start, "critical": 0, "warning": 1, "info": 0} for start in starts]
        return {"error_distribution": {"time_series": {"bucket_seconds": width * 3600, "points": points}}}

    date, state = dt.date.fromisoformat(day), span(f"{day} 00:00", f"{day} 06:00")
    midnight, six = (dt.datetime.combine(date - dt.timedelta(days=1), dt.time(hour), BERLIN) for hour in (0, 6))
    other = series(midnight.date(), (six.timestamp() - midnight.timestamp()) / 3600 / width, width)
    steps = f"globalThis.steps = await import({json.dumps((PAGE / 'span_steps.js').as_uri())});"
    found = f"{{ ...steps.compared({json.dumps(state)}, 'yesterday', 0), how: '', overview: {json.dumps(other)} }}"
    line_of = f"its.Compare.prototype.line.call({{ found: {found} }}, value)"
    (line,) = results("compare.js", line_of, [series(date, hours, 1)], zone="Europe/Berlin", before=BROWSER + steps)
    assert line["values"] == wanted
