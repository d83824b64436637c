"""The series of `distributed_testing_errors_total` that an error is counted in. Values of labels beyond a limit are
folded into `other`, so that senders cannot create unlimited series.

The HTTP process counts in these series. At start the store's process adds up its counters by the same series, so that
the state that it sends is bounded.
"""

from typing import Final, NamedTuple

from msgspec import Struct

from exporter.store import Counted

OTHER: Final = "other"
FOLDED: Final = ("worker", "type", "category", "hardware_type")
MAX_CATEGORY_LABELS: Final = 200
MAX_HARDWARE_LABELS: Final = 50
MAX_TYPE_SERIES: Final = 1_000  # series beyond the limit, of the worker `other`; then all labels are folded


class LabelLimits(Struct, frozen=True):
    """How many values a label may have, and how many series there may be."""

    workers: int = 1_000
    types: int = 200
    series: int = 10_000


class SeriesLabels(NamedTuple):
    """The labels of a series."""

    category: str
    worker: str
    type: str


class LabelLimit:
    """Keeps the first `limit` values of a label; `fold` returns `other` for any further value."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kept: set[str] = set()

    def fold(self, value: str) -> str:
        if value not in self._kept:
            if len(self._kept) >= self._limit:
                return OTHER
            self._kept.add(value)
        return value


class Series:
    """The series so far. `workers` and `hardware` fold the values of these two labels."""

    def __init__(self, limits: LabelLimits) -> None:
        self.workers = LabelLimit(limits.workers)
        self.hardware = LabelLimit(MAX_HARDWARE_LABELS)
        self._types = LabelLimit(limits.types)
        self._categories = LabelLimit(MAX_CATEGORY_LABELS)
        self._most = limits.series
        self._series: set[SeriesLabels] = set()

    def fold(self, worker: str, type_: str, category: str) -> tuple[SeriesLabels, tuple[str, ...]]:
        """Returns the series of an error, and the labels whose value was folded. The result depends on earlier
        calls."""
        labels = SeriesLabels(self._categories.fold(category), self.workers.fold(worker), self._types.fold(type_))
        series = self._series
        if labels not in series and len(series) >= self._most:
            labels = labels._replace(worker=OTHER)
        if labels not in series and len(series) >= self._most + MAX_TYPE_SERIES:
            labels = SeriesLabels(OTHER, OTHER, OTHER)
        series.add(labels)
        pairs = (
            ("category", category, labels.category),
            ("worker", worker, labels.worker),
            ("type", type_, labels.type),
        )
        return labels, tuple(label for label, value, kept in pairs if value != kept)


class Totals:
    """Counts of errors, added up by series, severity and hardware type. `folded` has the errors whose value of a label
    was folded, by label. Adding `counts` to an empty `ErrorMetrics` gives the same series."""

    def __init__(self, limits: LabelLimits) -> None:
        self.counts: dict[tuple[str, str, str, str, str | None], Counted] = {}
        self.folded = dict.fromkeys(FOLDED, 0)
        self._series = Series(limits)

    def add(self, one: Counted) -> None:
        """Adds a count. Those whose keys came first must be added first."""
        labels, folded = self._series.fold(one.worker_id, one.type, one.category)
        hardware = one.hardware_type and self._series.hardware.fold(one.hardware_type)
        for label in (*folded, "hardware_type") if hardware != one.hardware_type else folded:
            self.folded[label] += one.errors
        key = (labels.worker, labels.type, labels.category, one.severity, hardware)
        known = self.counts.get(key)
        errors, first, last = one.errors, one.first_seen, one.last_seen
        if known is not None:
            errors += known.errors
            first, last = min(known.first_seen, first), max(known.last_seen, last)
        self.counts[key] = Counted(*key, errors, first, last)
