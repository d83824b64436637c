"""The series of `distributed_testing_errors_total` that an error is counted in. Values of labels beyond a limit are
folded into `other`, so that senders cannot create unlimited series.

    limit reached      the error is counted in
    max_series         category, worker, type = other       at most `MAX_FOLDED_SERIES` of these
                       category = other, worker, type = other
    worker labels      worker = other, and the same rules for the other two labels

So the worker is lost last, and only by its own limit: whoever is on call has to know which machine fails.

The HTTP process counts in these series. At start the store's process adds up its counters by the same series, so that
the state that it sends is bounded. A *key* is a worker, type and category as they were reported. Errors of a key that
has no series of its own are its *resting* errors: of them, only their number is kept, by a hash of the key.
"""

from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b
from itertools import islice
from typing import Final, Generic, NamedTuple, TypeVar

from msgspec import Struct

from exporter.store import Counted

OTHER: Final = "other"
FOLDED: Final = ("worker", "type", "category", "hardware_type")
MAX_CATEGORY_LABELS: Final = 200
MAX_HARDWARE_LABELS: Final = 50
MAX_FOLDED_SERIES: Final = 1_000  # beyond the limit of series, with a folded type; then the category is folded, too
MAX_RESTING: Final = 250_000  # keys whose resting errors are known: 25 MB; then the first ones are forgotten
N = TypeVar("N", int, float)


class LabelLimits(Struct, frozen=True):
    """How many values a label may have, and how many series there may be. A series without an error for `idle` seconds
    is dropped; 0: never."""

    workers: int = 1_000
    types: int = 200
    series: int = 10_000
    idle: float = 0.0


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


class Places:
    """At most `limit` values of a label that series have. `fold` returns `other` for a value for which there is no
    place."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._series: dict[str, int] = {}  # number of series of each value

    def has_room_for(self, value: str) -> bool:
        return value in self._series or len(self._series) < self._limit

    def fold(self, value: str) -> str:
        return value if self.has_room_for(value) else OTHER

    def add(self, value: str) -> None:
        """Notes a new series with this value."""
        if value != OTHER:
            self._series[value] = self._series.get(value, 0) + 1

    def remove(self, value: str) -> bool:
        """Notes that a series is gone. Returns whether no other has this value; its place is free then."""
        if value == OTHER:
            return False
        self._series[value] -= 1
        if not self._series[value]:
            del self._series[value]
        return value not in self._series


class Series:
    """The series so far. `hardware` folds the values of another label."""

    def __init__(self, limits: LabelLimits) -> None:
        self.hardware = LabelLimit(MAX_HARDWARE_LABELS)
        self.workers = Places(limits.workers)
        # In the order of the labels.
        self._places = (Places(MAX_CATEGORY_LABELS), self.workers, Places(limits.types))
        self._most = limits.series
        self._series: set[SeriesLabels] = set()

    def room(self) -> int:
        """Returns how many new series keep their type; 0 or less for none."""
        return self._most - len(self._series)

    def fold(self, worker: str, type_: str, category: str) -> tuple[SeriesLabels, tuple[str, ...]]:
        """Returns the series of an error, and the labels whose value was folded. The result depends on earlier
        calls."""
        given = SeriesLabels(category, worker, type_)
        labels = SeriesLabels._make(place.fold(value) for place, value in zip(self._places, given, strict=True))
        series = self._series
        if labels not in series and len(series) >= self._most:
            labels = labels._replace(type=OTHER)
        if labels not in series and len(series) >= self._most + MAX_FOLDED_SERIES:
            labels = labels._replace(category=OTHER)
        if labels not in series:
            series.add(labels)
            for place, value in zip(self._places, labels, strict=True):
                place.add(value)
        return labels, tuple(
            name for name, value, kept in zip(labels._fields, given, labels, strict=True) if value != kept
        )

    def drop(self, labels: SeriesLabels) -> Sequence[str]:
        """Forgets a series. Returns the names of the labels whose value no series has any more."""
        self._series.remove(labels)
        named = zip(labels._fields, self._places, labels, strict=True)
        return [name for name, place, value in named if place.remove(value)]


def hash_of(*texts: str) -> int:
    """Returns a number of 64 bits, the same in every process."""
    text = "".join([*[f"{len(text)} " for text in texts], *texts])
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest())


@lru_cache(1_024)
def hash_of_type(type_: str) -> int:
    return hash_of(type_)


class Numbers(Generic[N]):
    """A number for each hash, of up to `MAX_RESTING`. Beyond that, the tenth that was added first is forgotten."""

    def __init__(self, numbers: dict[int, N] | None = None) -> None:
        self.by_hash: dict[int, N] = dict(numbers or {})

    def put(self, hash_: int, number: N) -> None:
        self.by_hash[hash_] = number
        if len(self.by_hash) > MAX_RESTING:
            for first in list(islice(self.by_hash, MAX_RESTING // 10)):
                del self.by_hash[first]

    def get(self, hash_: int, default: N) -> N:
        return self.by_hash.get(hash_, default)

    def take(self, hash_: int, default: N) -> N:
        """Removes the number, and returns it."""
        return self.by_hash.pop(hash_, default)


class Totals:
    """Counts of errors, added up by series, severity and hardware type, for `ErrorMetrics.resume`.

    `counts` has the errors of the keys that have a series of their own. Errors of all other keys are in `resting`, by
    the hash of the key, and added up by severity and hardware type in `others`. `types` has the time of the first error
    of each type, by the hash of the type."""

    def __init__(self, limits: LabelLimits) -> None:
        self.counts: dict[tuple[str, str, str, str, str | None], Counted] = {}
        self.others: dict[tuple[str, str, str, str, str | None], Counted] = {}
        self.resting = Numbers[int]()
        self.types = Numbers[float]()
        self._series = Series(limits)

    def add(self, one: Counted, *, is_active: bool = True) -> None:
        """Adds a count. Those whose keys came first must be added first. Only the key of an active one may have a
        series."""
        hardware = one.hardware_type and self._series.hardware.fold(one.hardware_type)
        type_ = hash_of_type(one.type)
        self.types.put(type_, min(one.first_seen, self.types.get(type_, one.first_seen)))
        labels = SeriesLabels(OTHER, OTHER, OTHER)
        if is_active and self._series.workers.has_room_for(one.worker_id):
            labels, _ = self._series.fold(one.worker_id, one.type, one.category)
        if OTHER in labels:
            key = hash_of(one.worker_id, one.type, one.category)
            self.resting.put(key, one.errors + self.resting.get(key, 0))
            _add(self.others, ("", "", "", one.severity, hardware), one)
        else:
            _add(self.counts, (labels.worker, labels.type, labels.category, one.severity, hardware), one)


def _add(
    counts: dict[tuple[str, str, str, str, str | None], Counted],
    key: tuple[str, str, str, str, str | None],
    one: Counted,
) -> None:
    errors, first, last = one.errors, one.first_seen, one.last_seen
    known = counts.get(key)
    if known is not None:
        errors += known.errors
        first, last = min(known.first_seen, first), max(known.last_seen, last)
    counts[key] = Counted(*key, errors, first, last)
