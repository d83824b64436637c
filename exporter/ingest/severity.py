"""Classifies a report as critical, warning or info, and says why. Pure; the rules are in one table, `rules`.

Rules are tried in the order of the table. The first that matches gives the severity; the reasons of all that match are
returned, so that a person sees everything that is wrong.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Annotated, Final, Literal, NamedTuple

from msgspec import Meta, Struct

from exporter.events.event import Severity
from exporter.events.groups import PREFIXES
from exporter.events.report import UNKNOWN_CATEGORY, Disk, ErrorReport, HardwareStatus


class Thresholds(Struct, frozen=True):
    """Limits of the rules: percent, °C, and how often a pattern recurs. A rule matches beyond a limit, not at it."""

    critical_cpu_percent: float = 90
    critical_memory_percent: float = 95
    critical_disk_percent: float = 95
    critical_disk_free_percent: float = 5
    warning_cpu_percent: float = 75
    warning_memory_percent: float = 80
    warning_disk_percent: float = 85
    warning_gpu_celsius: float = 85
    recurring_per_hour: int = 2
    recurring_per_6_hours: int = 5

    @property
    def times_needed(self) -> int:
        """How many earlier error times of a pattern are needed to decide whether it recurs."""
        return max(self.recurring_per_hour, self.recurring_per_6_hours)


class Conditions(NamedTuple):
    """What is true of an error, besides its measurements. `category` is in upper case."""

    category: str
    overheating: bool
    memory_pressure: bool
    throttling: bool
    system_critical: bool
    recurring: bool

    @property
    def hardware_error(self) -> bool:
        """Whether the error belongs to the group `hardware`."""
        by_category = self.category.startswith(PREFIXES["hardware"])
        return by_category or self.overheating or self.memory_pressure or self.throttling


class Measurements(NamedTuple):
    """None where nothing was reported."""

    cpu_percent: float | None = None
    memory_percent: float | None = None
    disk_percent: float | None = None
    disk_free_percent: float | None = None
    gpu_celsius: float | None = None  # of the hottest GPU


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

    def reason(self, value: float) -> Reason:
        """Returns the reason for a value beyond the limit."""
        shown = f"{value:.3g} {self.unit} <" if self.below else f"{value:g} {self.unit} >"
        return Reason(f"{self.name} {shown} {self.limit:g} {self.unit}", self.measurement, value, self.limit)


CRITICAL_CATEGORIES: Final = frozenset(
    {"HARDWARE_NOT_AVAILABLE", "RESOURCE_EXHAUSTED", "WORKER_CRASHED", "WORKER_CRASH_ERROR"}
)
SYSTEM_CRITICAL: Final = ("COORDINATOR_FAILURE", "DATABASE_CORRUPTION", "SECURITY_BREACH")
WARNING_PREFIXES: Final = (PREFIXES["network"], PREFIXES["resource"], PREFIXES["worker"], PREFIXES["hardware"])
MAX_REMEMBERED: Final = 4_096  # sets of conditions
_NO_STATUS: Final = HardwareStatus()
_NOTHING_MEASURED: Final = Measurements()
Match = tuple[int, Severity, Reason]  # of a rule that matched: its place in the table, its severity and its reason


def _because(text: str) -> Reason:
    return Reason(text, None, None, None)


def rules(t: Thresholds) -> tuple[Rule | Limit, ...]:
    """Returns the table of the rules, with the limits `t`."""
    return (
        Rule("critical", lambda c: f"category {c.category}" if c.category in CRITICAL_CATEGORIES else None),
        Rule("critical", lambda c: "hardware is overheating" if c.overheating else None),
        Rule("critical", lambda c: "hardware is under memory pressure" if c.memory_pressure else None),
        Limit("critical", "cpu_percent", "CPU", t.critical_cpu_percent),
        Limit("critical", "memory_percent", "memory", t.critical_memory_percent),
        Limit("critical", "disk_percent", "disk", t.critical_disk_percent),
        Limit("critical", "disk_free_percent", "free disk", t.critical_disk_free_percent, below=True),
        Rule("critical", lambda c: "system-critical" if c.system_critical else None),
        Rule("warning", _warning_category),
        Rule("warning", lambda c: "hardware is throttling" if c.throttling else None),
        Limit("warning", "cpu_percent", "CPU", t.warning_cpu_percent),
        Limit("warning", "memory_percent", "memory", t.warning_memory_percent),
        Limit("warning", "disk_percent", "disk", t.warning_disk_percent),
        Limit("warning", "gpu_celsius", "GPU temperature", t.warning_gpu_celsius, "°C"),
        Rule("warning", lambda c: "recurring" if c.recurring else None),
    )


def _warning_category(c: Conditions) -> str | None:
    warns = c.category not in CRITICAL_CATEGORIES and c.category.startswith(WARNING_PREFIXES)
    return f"category {c.category}" if warns else None


def conditions(report: ErrorReport, *, recurring: bool) -> Conditions:
    """Returns what is true of `report`. `recurring` is the service's own count; an error that its sender calls
    recurring is recurring, too."""
    category = (report.error_category or UNKNOWN_CATEGORY).upper()
    hardware, frequency = report.hardware_context, report.error_frequency
    status = (hardware.hardware_status if hardware else None) or _NO_STATUS
    return Conditions(
        category,
        bool(status.overheating),
        bool(status.memory_pressure),
        bool(status.throttling),
        bool(report.is_system_critical) or _system_critical(category),
        recurring or (frequency is not None and bool(frequency.recurring)),
    )


def measurements(report: ErrorReport) -> Measurements:
    """Returns what was measured when the error happened."""
    cpu = memory = disk = free = celsius = None
    system = report.system_context
    if system is None:
        return _NOTHING_MEASURED
    if (metrics := system.metrics) is not None:
        cpu = metrics.cpu.percent if metrics.cpu else None
        memory = metrics.memory.used_percent if metrics.memory else None
        if metrics.disk is not None:
            disk, free = metrics.disk.used_percent, _free_percent(metrics.disk)
    if system.gpu_metrics is not None and system.gpu_metrics.devices:
        celsius = max([d.temperature for d in system.gpu_metrics.devices if d.temperature is not None], default=None)
    return Measurements(cpu, memory, disk, free, celsius)


def _free_percent(disk: Disk) -> float | None:
    return 100 * disk.free_gb / disk.total_gb if disk.free_gb is not None and disk.total_gb else None


@lru_cache(1024)
def _system_critical(category: str) -> bool:
    return any(word in category for word in SYSTEM_CRITICAL)


class Classifier:
    """The rules with one set of limits. The results of the rules about conditions are cached, because most errors
    differ from an earlier one only in measurements."""

    def __init__(self, thresholds: Thresholds) -> None:
        table = list(enumerate(rules(thresholds)))
        self._rules = [(place, rule) for place, rule in table if isinstance(rule, Rule)]
        self._limits = [
            (place, Measurements._fields.index(rule.measurement), rule.limit, rule.below, rule)
            for place, rule in table if isinstance(rule, Limit)
        ]  # fmt: skip
        self._by_conditions = lru_cache(MAX_REMEMBERED)(self._match)

    def classify(self, c: Conditions, m: Measurements) -> Classification:
        """Returns the severity of the first rule that matches, and the reasons of all that do."""
        matched, classification = self._by_conditions(c)
        if m is _NOTHING_MEASURED:
            return classification
        beyond = [
            (place, limit.severity, limit.reason(value)) for place, index, bound, below, limit in self._limits
            if (value := m[index]) is not None and (value < bound if below else value > bound)
        ]  # fmt: skip
        return _classification([*matched, *beyond], c) if beyond else classification

    def _match(self, c: Conditions) -> tuple[list[Match], Classification]:
        """Returns the rules about conditions that match, and the classification by them alone."""
        matched = [
            (place, rule.severity, _because(text)) for place, rule in self._rules
            if (text := rule.matches(c)) is not None
        ]  # fmt: skip
        return matched, _classification(matched, c)


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
    judged = Classifier(thresholds).classify(conditions(report, recurring=False), measurements(report))
    known = {reason.text: reason for reason in judged.details}
    return [known.get(text) or _because(text) for text in reasons]
