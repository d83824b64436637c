"""Classifies a report as critical, warning or info, and says why. Pure; the rules are in one table, `rules`.

Rules are tried in the order of the table. The first that matches gives the severity; the reasons of all that match are
returned, so that a person sees everything that is wrong.
"""

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Annotated, Final, Literal, NamedTuple

from msgspec import Meta, Struct

from exporter.events.event import Severity
from exporter.events.groups import PREFIXES
from exporter.events.report import ErrorFrequency, ErrorReport, HardwareStatus
from exporter.ingest.category import UNKNOWN, derived_category, sent_category
from exporter.ingest.measurements import NOTHING_MEASURED, Measurements, measure


class Thresholds(Struct, frozen=True):
    """Limits of the rules: percent, °C, and how often a pattern recurs. A rule matches beyond a limit, not at it."""

    critical_cpu_percent: float = 90
    critical_memory_percent: float = 95
    critical_disk_percent: float = 95
    critical_disk_free_percent: float = 5
    warning_cpu_percent: float = 75
    warning_memory_percent: float = 80
    warning_disk_percent: float = 85
    warning_disk_free_percent: float = 15
    warning_gpu_celsius: float = 85
    recurring_per_hour: int = 2
    recurring_per_6_hours: int = 5

    @property
    def times_needed(self) -> int:
        """How many earlier error times of a pattern are needed to decide whether it recurs."""
        return max(self.recurring_per_hour, self.recurring_per_6_hours)


class Conditions(NamedTuple):
    """What is true of an error, besides its measurements. `category` is in upper case; `derived` says why the service
    chose it, None if the sender gave it. `recurring` is the service's own count or the sender's flag, `counted` the
    count of the sender that is above a threshold."""

    category: str
    derived: str | None
    overheating: bool
    memory_pressure: bool
    throttling: bool
    system_critical: bool
    recurring: bool
    counted: str | None

    @property
    def hardware_error(self) -> bool:
        """Whether the error belongs to the group `hardware`."""
        by_category = self.category.startswith(PREFIXES["hardware"])
        return by_category or self.overheating or self.memory_pressure or self.throttling


Measurement = Literal["cpu_percent", "memory_percent", "disk_percent", "disk_free_percent", "gpu_celsius"]


class Reason(Struct, frozen=True):
    """Why a rule matched. For a rule about a measurement: which one, its value, and the limit that it is beyond, both
    in percent or °C; the value of `disk_free_percent` is below its limit, the others are above. Else all three are
    null."""

    text: str
    measurement: Annotated[Measurement | None, Meta(description="what was measured")]
    value: Annotated[float | None, Meta(description="percent or °C")]
    limit: Annotated[float | None, Meta(description="percent or °C")]


class Classification(NamedTuple):
    """The severity of a report. `details` has a reason for each rule that matched, or, if none matched, one reason that
    says so; `reasons` has the texts of `details`."""

    severity: Severity
    details: tuple[Reason, ...]
    reasons: tuple[str, ...]
    hardware_error: bool  # as that of the conditions, which takes longer to find out


class Rule(NamedTuple):
    """A rule about conditions. `matches` returns the text of the reason, or None if the rule does not match."""

    severity: Severity
    matches: Callable[[Conditions], str | None]


class Limit(NamedTuple):
    """A rule about a measurement. It matches a value above `limit`, or below it if `below` is true."""

    severity: Severity
    measurement: Measurement
    name: str
    limit: float
    unit: str = "%"
    below: bool = False

    def matches(self, value: float) -> bool:
        return value < self.limit if self.below else value > self.limit

    def reason(self, value: float) -> Reason:
        """Returns the reason for a value beyond the limit."""
        shown = f"{value:.3g} {self.unit} <" if self.below else f"{value:g} {self.unit} >"
        return Reason(f"{self.name} {shown} {self.limit:g} {self.unit}", self.measurement, value, self.limit)


CRITICAL_CATEGORIES: Final = frozenset(
    {"HARDWARE_NOT_AVAILABLE", "RESOURCE_EXHAUSTED", "WORKER_CRASHED", "WORKER_CRASH_ERROR"}
)
SYSTEM_CRITICAL: Final = ("COORDINATOR_FAILURE", "DATABASE_CORRUPTION", "SECURITY_BREACH")
WARNING_PREFIXES: Final = (PREFIXES["network"], PREFIXES["resource"], PREFIXES["worker"], PREFIXES["hardware"])
MOST_COUNTED: Final = 10**9  # a count that a reason names; a number in JSON may have thousands of digits
MAX_REMEMBERED: Final = 4_096  # sets of conditions
MAX_VALUES: Final = 1_024  # of one measurement
_NO_STATUS: Final = HardwareStatus()
Match = tuple[int, Severity, Reason]  # of a rule that matched: its place in the table, its severity and its reason


def _because(text: str) -> Reason:
    return Reason(text, None, None, None)


def rules(t: Thresholds) -> tuple[Rule | Limit, ...]:
    """Returns the table of the rules, with the limits `t`."""
    return (
        Rule("critical", lambda c: _named(c) if c.category in CRITICAL_CATEGORIES else None),
        Rule("critical", lambda c: "hardware is overheating" if c.overheating else None),
        Rule("critical", lambda c: "hardware is under memory pressure" if c.memory_pressure else None),
        Limit("critical", "cpu_percent", "CPU", t.critical_cpu_percent),
        Limit("critical", "memory_percent", "memory", t.critical_memory_percent),
        Limit("critical", "disk_percent", "disk", t.critical_disk_percent),
        Limit("critical", "disk_free_percent", "free disk", t.critical_disk_free_percent, below=True),
        Rule("critical", lambda c: "system-critical" if c.system_critical else None),
        Rule("warning", lambda c: _named(c) if _warns(c) else None),
        Rule("warning", lambda c: "hardware is throttling" if c.throttling else None),
        Limit("warning", "cpu_percent", "CPU", t.warning_cpu_percent),
        Limit("warning", "memory_percent", "memory", t.warning_memory_percent),
        Limit("warning", "disk_percent", "disk", t.warning_disk_percent),
        Limit("warning", "disk_free_percent", "free disk", t.warning_disk_free_percent, below=True),
        Limit("warning", "gpu_celsius", "GPU temperature", t.warning_gpu_celsius, "°C"),
        Rule("warning", lambda c: "recurring" if c.recurring else None),
        Rule("warning", lambda c: f"recurring: {c.counted}, counted by the sender" if c.counted else None),
        Rule(
            "info",
            lambda c: _named(c) if c.derived and c.category not in CRITICAL_CATEGORIES and not _warns(c) else None,
        ),
    )


def _named(c: Conditions) -> str:
    return f"category {c.category}, {c.derived}" if c.derived else f"category {c.category}"


def _warns(c: Conditions) -> bool:
    return c.category not in CRITICAL_CATEGORIES and c.category.startswith(WARNING_PREFIXES)


def conditions(
    report: ErrorReport, *, recurring: bool, thresholds: Thresholds, derive_category: bool = True
) -> Conditions:
    """Returns what is true of `report`. `recurring` is the service's own count; an error that its sender calls
    recurring is recurring, too. `derive_category`: derive a category that is absent from the report's texts."""
    category = sent_category(report.error_category) if report.error_category else None
    if category is None:
        derived = derived_category(report.type, report.message, report.traceback) if derive_category else UNKNOWN
        category = derived
    hardware, frequency = report.hardware_context, report.error_frequency
    status = (hardware.hardware_status if hardware else None) or _NO_STATUS
    return Conditions(
        category.name,
        category.derived,
        bool(status.overheating),
        bool(status.memory_pressure),
        bool(status.throttling),
        bool(report.is_system_critical) or _system_critical(category.name),
        recurring or (frequency is not None and bool(frequency.recurring)),
        None if frequency is None else _counted(frequency, thresholds),
    )


def _counted(frequency: ErrorFrequency, t: Thresholds) -> str | None:
    """Returns the sender's count that is above a threshold, such as "12 in an hour"; None if none is. A count outweighs
    `recurring: false`, because it is known what it says."""
    counts = [counts for counts in (frequency.similar_message, frequency.same_type) if counts is not None]
    for name, limit, span in (
        ("last_1h", t.recurring_per_hour, "an hour"), ("last_6h", t.recurring_per_6_hours, "six hours")
    ):  # fmt: skip
        highest = max([getattr(one, name) or 0 for one in counts], default=0)
        if highest > limit:
            shown = str(highest) if highest <= MOST_COUNTED else f"more than {MOST_COUNTED}"
            return f"{shown} in {span}"
    return None


@lru_cache(1024)
def _system_critical(category: str) -> bool:
    return any(word in category for word in SYSTEM_CRITICAL)


class Classifier:
    """The rules with one set of limits. The results of the rules about conditions are cached, because most errors
    differ from an earlier one only in measurements."""

    def __init__(self, thresholds: Thresholds) -> None:
        table = list(enumerate(rules(thresholds)))
        self._rules = [(place, rule) for place, rule in table if isinstance(rule, Rule)]
        limits = [(place, rule) for place, rule in table if isinstance(rule, Limit)]
        self._limits = [_limits(limits, name) for name in Measurements._fields]
        self._by_conditions = lru_cache(MAX_REMEMBERED)(self._match)

    def classify(self, c: Conditions, m: Measurements) -> Classification:
        """Returns the severity of the first rule that matches, and the reasons of all that do."""
        matched, classification = self._by_conditions(c)
        if m is NOTHING_MEASURED:
            return classification
        beyond: list[Match] = []
        for value, (least, most, crossed) in zip(m, self._limits):  # noqa: B905 - `strict` would take longer
            if value is not None and not least <= value <= most:
                beyond += crossed(value)
        return _classification([*matched, *beyond], c) if beyond else classification

    def _match(self, c: Conditions) -> tuple[list[Match], Classification]:
        """Returns the rules about conditions that match, and the classification by them alone."""
        matched = [
            (place, rule.severity, _because(text)) for place, rule in self._rules
            if (text := rule.matches(c)) is not None
        ]  # fmt: skip
        return matched, _classification(matched, c)


def _limits(limits: list[tuple[int, Limit]], name: str) -> tuple[float, float, Callable[[float], tuple[Match, ...]]]:
    """Returns the lowest and the highest value of a measurement at which no limit matches, and what returns the limits
    that match a value beyond. Values come again, because most are rounded, and their texts take long to make."""
    found = [(place, one) for place, one in limits if one.measurement == name]
    least = max([one.limit for _, one in found if one.below], default=-math.inf)
    most = min([one.limit for _, one in found if not one.below], default=math.inf)

    @lru_cache(MAX_VALUES)
    def crossed(value: float) -> tuple[Match, ...]:
        return tuple([(place, one.severity, one.reason(value)) for place, one in found if one.matches(value)])

    return least, most, crossed


def _classification(matched: list[Match], c: Conditions) -> Classification:
    if not matched:
        text = f"category {c.category}, nothing above a threshold"
        return Classification("info", (_because(text),), (text,), c.hardware_error)
    matched = sorted(matched, key=itemgetter(0))
    details = tuple([reason for _, _, reason in matched])
    texts = tuple([reason.text for reason in details])
    return Classification(matched[0][1], details, texts, c.hardware_error)


def explain(reasons: Sequence[str], report: ErrorReport, thresholds: Thresholds) -> list[Reason]:
    """Returns the stored texts of a report's reasons with their measurements. A text that was made with other
    thresholds than these has no measurement."""
    measured, _ = measure(report.system_context)
    limits = [rule for rule in rules(thresholds) if isinstance(rule, Limit)]
    found = [limit.reason(value) for limit in limits if (value := getattr(measured, limit.measurement)) is not None]
    known = {reason.text: reason for reason in found}
    return [known.get(text) or _because(text) for text in reasons]
