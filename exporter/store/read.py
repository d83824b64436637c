"""What readers ask of the DuckDB file, as plain objects in the shape of the API. Runs in a reader's thread."""

import datetime as dt
from typing import Any, Final, NamedTuple

import duckdb
import msgspec

from exporter.events.event import ErrorEvent, error_object, isoformat, payload
from exporter.store.filters import Filters, cursor_text
from exporter.store.sql import named

_SQL: Final = named("read.sql")
_SQL["errors"] = _SQL["errors"].replace("{matching}", _SQL["matching"])
_BUCKETS: Final = (60, 300, 900, 1800, 3600, 7200, 14_400, 28_800, 86_400, 604_800)
_MOST_BARS: Final = 96
_TOP_CATEGORIES: Final = 100
_TOP_WORKERS: Final = 1_000
_TOP_HARDWARE: Final = 100
_TOP_VALUES: Final = 100
_RECENT_CRITICAL: Final = 2_000
_LATELY: Final = dt.timedelta(minutes=5)
_NOTHING: Final = dict.fromkeys(
    ("critical", "warning", "info", "resource", "network", "critical_hardware", "recurring"), 0
)
_FACETS: Final = {
    "severity": "severity", "category": "error_category", "worker": "worker_id", "type": "type",
    "hardware": "hardware_type",
}  # fmt: skip
Cursor = duckdb.DuckDBPyConnection
Object = dict[str, Any]


class Span(NamedTuple):
    """A range of time up to now. Times are naive UTC, as the database keeps them; `bucket` is in seconds."""

    since: dt.datetime
    whole: dt.datetime
    bucket: int
    now: dt.datetime

    @classmethod
    def of(cls, hours: int, now: dt.datetime) -> "Span":
        now = now.astimezone(dt.UTC).replace(tzinfo=None)
        since = now - dt.timedelta(hours=hours)
        minute = since.replace(second=0, microsecond=0)
        whole = minute if minute == since else minute + dt.timedelta(minutes=1)
        return cls(since, whole, bucket_seconds(hours), now)

    def ask(self, cursor: Cursor, name: str, **more: Any) -> list[Object]:
        values = {"since": self.since, "whole": self.whole, **more}
        return _ask(cursor, name, values)

    def buckets(self) -> list[dt.datetime]:
        step = dt.timedelta(seconds=self.bucket)
        first = _floor(self.since, self.bucket)
        return [first + i * step for i in range(int((self.now - first) / step) + 1)]


def bucket_seconds(hours: int) -> int:
    """The width of a bar in a chart over `hours`: the smallest round one that needs at most 96 of them."""
    return next((b for b in _BUCKETS if hours * 3600 / b <= _MOST_BARS), _BUCKETS[-1])


def overview(cursor: Cursor, hours: int, now: dt.datetime) -> Object:
    """The whole `data` object of GET /api/errors."""
    span = Span.of(hours, now)
    reset_at = cursor.execute(_SQL["reset_at"]).fetchall()[0][0]
    categories = span.ask(cursor, "categories")
    summary = span.ask(cursor, "summary")[0]
    return {
        "summary": summary | {"time_range_hours": hours, "reset_at": reset_at and isoformat(reset_at)},
        "timestamp": isoformat(now),
        "now": _lately(cursor, span) | {"critical_errors_since_reset": _since_reset(cursor, reset_at)},
        "recent_errors": _errors(cursor, Filters(hours=hours, limit=100), span.since),
        "error_distribution": {
            "categories": categories[:_TOP_CATEGORIES],
            "other_categories": {
                "categories": len(categories[_TOP_CATEGORIES:]),
                "count": sum(c["count"] for c in categories[_TOP_CATEGORIES:]),
            },
            "severities": [
                {"severity": word, "count": summary[f"{word}_errors"]} for word in ("critical", "warning", "info")
            ],
            "time_series": _time_series(cursor, span),
        },
        "error_patterns": {
            "top_patterns": patterns(cursor, span, 10),
            "categories": span.ask(cursor, "pattern_categories", limit=_TOP_CATEGORIES),
        },
        "worker_errors": {"worker_stats": _times(span.ask(cursor, "workers", limit=_TOP_WORKERS))},
        "hardware_errors": {
            "hardware_status": _hardware(cursor, span, hours),
            "recent_errors": _errors(cursor, Filters(hours=hours, limit=50, group=["hardware"]), span.since),
        },
    }


def errors(cursor: Cursor, filters: Filters, now: dt.datetime) -> Object:
    """A page of single errors, newest first, and where the next begins (None at the end)."""
    since = now.astimezone(dt.UTC).replace(tzinfo=None) - dt.timedelta(hours=filters.hours)
    found = _rows(cursor, filters, since, filters.limit + 1)
    page = found[: filters.limit]
    more = len(found) > len(page)
    return {
        "errors": [_error(r) for r in page],
        "next_cursor": cursor_text(page[-1]["timestamp"], page[-1]["id"]) if more else None,
    }


def facets(cursor: Cursor, filters: Filters, now: dt.datetime) -> Object:
    """For each field that errors can be filtered by, its most frequent values and how many errors each would give, the
    other filters staying as they are."""
    since = now.astimezone(dt.UTC).replace(tzinfo=None) - dt.timedelta(hours=filters.hours)
    found = {}
    for name, column in _FACETS.items():
        values = _values(filters, since) | {name: None, "limit": _TOP_VALUES}
        sql = _SQL["facet"].replace("{matching}", _SQL["matching"]).replace("{column}", column)
        found[name] = _run(cursor, sql, values)
    return found


def error(cursor: Cursor, id_: int) -> Object | None:
    """One error with its whole texts and the report as it was sent."""
    found = _ask(cursor, "error", {"id": id_})
    return _error(found[0], whole=True) if found else None


def patterns(cursor: Cursor, span: Span, limit: int) -> list[Object]:
    """The most frequent patterns, each with its counts over the buckets of the span (`trend`)."""
    found = span.ask(cursor, "patterns", limit=limit, fingerprint=None)
    return _with_trends(cursor, span, found)


def pattern(cursor: Cursor, fingerprint: str, hours: int, now: dt.datetime) -> Object | None:
    """One pattern, with the workers that it touched and its newest errors."""
    span = Span.of(hours, now)
    found = _with_trends(cursor, span, span.ask(cursor, "patterns", limit=1, fingerprint=fingerprint))
    if not found:
        return None
    return found[0] | {
        "worker_stats": _times(span.ask(cursor, "pattern_workers", fingerprint=fingerprint)),
        "recent_errors": _errors(cursor, Filters(hours=hours, limit=20, fingerprint=fingerprint), span.since),
    }


def recent_critical(cursor: Cursor, since: dt.datetime) -> list[ErrorEvent]:
    found = _ask(cursor, "recent_critical", {"since": since.replace(tzinfo=None), "limit": _RECENT_CRITICAL})
    for row in found:
        row["reasons"] = tuple(msgspec.json.decode(row["reasons"]))
        for name in ("timestamp", "received_at"):
            row[name] = row[name].replace(tzinfo=dt.UTC)
    return [ErrorEvent(**row) for row in reversed(found)]


def _with_trends(cursor: Cursor, span: Span, found: list[Object]) -> list[Object]:
    counts: dict[tuple[str, dt.datetime], int] = {
        (row["fingerprint"], row["timestamp"]): row["errors"]
        for row in span.ask(cursor, "trends", bucket=span.bucket, fingerprints=[row["fingerprint"] for row in found])
    }
    buckets = span.buckets()
    for row in found:
        row["trend"] = [counts.get((row["fingerprint"], start), 0) for start in buckets]
        row["pattern"] = row["pattern"] or row["type"]
    return _times(found)


def _lately(cursor: Cursor, span: Span) -> Object:
    """How bad it is now: the critical errors of the last minutes, and the worker that has most of them."""
    workers = _ask(cursor, "lately", {"since": span.now - _LATELY})
    top = workers[0] if workers else {"worker_id": None, "errors": 0}
    return {
        "window_seconds": int(_LATELY.total_seconds()),
        "critical_errors": sum(row["errors"] for row in workers),
        "workers": len(workers),
        "top_worker": top["worker_id"],
        "top_worker_errors": top["errors"],
    }


def _since_reset(cursor: Cursor, reset_at: dt.datetime | None) -> int | None:
    """The critical errors since the counts were reset; None where they never were."""
    if reset_at is None:
        return None
    minute = reset_at.replace(second=0, microsecond=0) + dt.timedelta(minutes=1)
    found: int = _ask(cursor, "critical_since", {"since": reset_at, "whole": minute})[0]["errors"]
    return found


def _time_series(cursor: Cursor, span: Span) -> Object:
    counted = {row["timestamp"]: row for row in span.ask(cursor, "time_series", bucket=span.bucket)}
    starts = sorted({*span.buckets(), *counted})
    return {
        "bucket_seconds": span.bucket,
        "points": [(counted.get(start) or _NOTHING) | {"timestamp": isoformat(start)} for start in starts],
    }


def _hardware(cursor: Cursor, span: Span, hours: int) -> Object:
    metrics = {row.pop("hardware_type"): row for row in _ask(cursor, "hardware_metrics", {"since": span.since})}
    status = {}
    for row in span.ask(cursor, "hardware", limit=_TOP_HARDWARE):
        name = row.pop("hardware_type")
        status[name] = row | {"error_rate": row["error_count"] / hours, "metrics": metrics.get(name, {})}
    return status


def _errors(cursor: Cursor, filters: Filters, since: dt.datetime) -> list[Object]:
    return [_error(found) for found in _rows(cursor, filters, since, filters.limit)]


def _rows(cursor: Cursor, filters: Filters, since: dt.datetime, limit: int) -> list[Object]:
    before, before_id = filters.cursor or (None, None)
    return _ask(cursor, "errors", _values(filters, since) | {"before": before, "before_id": before_id, "limit": limit})


def _values(filters: Filters, since: dt.datetime) -> Object:
    """What the statement `matching` takes."""
    return {
        "since": since,
        "severity": filters.severity,
        "category": filters.category,
        "worker": filters.worker,
        "type": filters.type,
        "fingerprint": filters.fingerprint,
        "hardware": filters.hardware,
        "group": filters.group,
        "q": filters.q.lower() if filters.q else None,
    }


def _error(found: Object, *, whole: bool = False) -> Object:
    body = found.pop("payload")
    found["reasons"] = msgspec.json.decode(found["reasons"])
    found["is_critical"] = found["severity"] == "critical"
    columns = _times([found.copy()])[0]
    result = error_object(body, columns, whole=whole)
    return result | {"report": payload(body)} if whole else result


def _ask(cursor: Cursor, name: str, values: Object) -> list[Object]:
    return _run(cursor, _SQL[name], values)


def _run(cursor: Cursor, sql: str, values: Object) -> list[Object]:
    answer = cursor.execute(sql, values)
    names = [column[0] for column in answer.description or ()]
    return [dict(zip(names, row, strict=True)) for row in answer.fetchall()]


def _times(rows: list[Object]) -> list[Object]:
    for row in rows:
        for name, value in row.items():
            if isinstance(value, dt.datetime):
                row[name] = isoformat(value)
    return rows


def _floor(moment: dt.datetime, seconds: int) -> dt.datetime:
    """The start of the bucket that `moment` is in. DuckDB's time_bucket counts from Monday 2000-01-03."""
    origin = dt.datetime(2000, 1, 3)
    return origin + (moment - origin) // dt.timedelta(seconds=seconds) * dt.timedelta(seconds=seconds)
