"""Classifies a report as critical, warning or info, and says why. Pure; the rules are in one table, `RULES`.

Rules are tried in the order of the table. The first that matches gives the severity; the reasons of all that match are
returned, so that a person sees everything that is wrong.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Annotated, Final, Literal, NamedTuple

from msgspec import Meta, Struct

from exporter.events.event import Severity
from exporter.events.groups import PREFIXES
from exporter.events.report import (
    UNKNOWN_CATEGORY,
    ErrorReport,
    HardwareContext,
    HardwareStatus,
    Metrics,
    SystemContext,
)


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
        """How many earlier times of a pattern tell whether it recurs."""
        return max(self.recurring_per_hour, self.recurring_per_6_hours)


class Facts(NamedTuple):
    """What the rules look at. Missing measurements default to 0, free disk to 100: values that match no rule."""

    category: str
    overheating: bool
    memory_pressure: bool
    throttling: bool
    cpu_percent: float
    memory_percent: float
    disk_percent: float
    disk_free_percent: float
    gpu_celsius: float
    system_critical: bool
    recurring: bool


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
    """The severity of a report. `details` has a reason for each rule that matched, at least one in all."""

    severity: Severity
    details: tuple[Reason, ...]
    is_system_critical: bool
    is_recurring: bool
    hardware_error: bool

    @property
    def reasons(self) -> tuple[str, ...]:
        """The texts of the reasons."""
        return tuple([reason.text for reason in self.details])


class Rule(NamedTuple):
    """`matches` returns the reason, or None if the rule does not match."""

    severity: Severity
    matches: Callable[[Facts, Thresholds], Reason | None]


CRITICAL_CATEGORIES: Final = frozenset(
    {"HARDWARE_NOT_AVAILABLE", "RESOURCE_EXHAUSTED", "WORKER_CRASHED", "WORKER_CRASH_ERROR"}
)
SYSTEM_CRITICAL: Final = ("COORDINATOR_FAILURE", "DATABASE_CORRUPTION", "SECURITY_BREACH")
WARNING_PREFIXES: Final = (PREFIXES["network"], PREFIXES["resource"], PREFIXES["worker"], PREFIXES["hardware"])


def _because(text: str) -> Reason:
    return Reason(text, None, None, None)


def _over(measurement: Measurement, name: str, value: float, limit: float, unit: str = "%") -> Reason | None:
    if not value > limit:
        return None
    return Reason(f"{name} {value:g} {unit} > {limit:g} {unit}", measurement, value, limit)


def _free_disk(f: Facts, t: Thresholds) -> Reason | None:
    value, limit = f.disk_free_percent, t.critical_disk_free_percent
    if not value < limit:
        return None
    return Reason(f"free disk {value:.3g} % < {limit:g} %", "disk_free_percent", value, limit)


def _warning_category(f: Facts, _: Thresholds) -> Reason | None:
    if f.category in CRITICAL_CATEGORIES or not f.category.startswith(WARNING_PREFIXES):
        return None
    return _because(f"category {f.category}")


RULES: Final[tuple[Rule, ...]] = (
    Rule("critical", lambda f, t: _because(f"category {f.category}") if f.category in CRITICAL_CATEGORIES else None),
    Rule("critical", lambda f, t: _because("hardware is overheating") if f.overheating else None),
    Rule("critical", lambda f, t: _because("hardware is under memory pressure") if f.memory_pressure else None),
    Rule("critical", lambda f, t: _over("cpu_percent", "CPU", f.cpu_percent, t.critical_cpu_percent)),
    Rule("critical", lambda f, t: _over("memory_percent", "memory", f.memory_percent, t.critical_memory_percent)),
    Rule("critical", lambda f, t: _over("disk_percent", "disk", f.disk_percent, t.critical_disk_percent)),
    Rule("critical", _free_disk),
    Rule("critical", lambda f, t: _because("system-critical") if f.system_critical else None),
    Rule("warning", _warning_category),
    Rule("warning", lambda f, t: _because("hardware is throttling") if f.throttling else None),
    Rule("warning", lambda f, t: _over("cpu_percent", "CPU", f.cpu_percent, t.warning_cpu_percent)),
    Rule("warning", lambda f, t: _over("memory_percent", "memory", f.memory_percent, t.warning_memory_percent)),
    Rule("warning", lambda f, t: _over("disk_percent", "disk", f.disk_percent, t.warning_disk_percent)),
    Rule("warning", lambda f, t: _over("gpu_celsius", "GPU temperature", f.gpu_celsius, t.warning_gpu_celsius, "°C")),
    Rule("warning", lambda f, t: _because("recurring") if f.recurring else None),
)

_NO_METRICS: Final = Metrics()
_NO_STATUS: Final = HardwareStatus()
_NO_SYSTEM: Final = SystemContext()
_NO_HARDWARE: Final = HardwareContext()


def facts(report: ErrorReport, *, recurring: bool) -> Facts:
    """Returns what the rules look at in `report`. `recurring` is the service's own count; an error that its sender
    calls recurring is recurring, too."""
    category = (report.error_category or UNKNOWN_CATEGORY).upper()
    system = report.system_context or _NO_SYSTEM
    metrics = system.metrics or _NO_METRICS
    cpu, memory, disk = metrics.cpu, metrics.memory, metrics.disk
    status = (report.hardware_context or _NO_HARDWARE).hardware_status or _NO_STATUS
    devices = (system.gpu_metrics.devices if system.gpu_metrics else None) or ()
    free = 100.0
    if disk and disk.free_gb is not None and disk.total_gb:
        free = 100 * disk.free_gb / disk.total_gb
    frequency = report.error_frequency
    return Facts(
        category=category,
        overheating=bool(status.overheating),
        memory_pressure=bool(status.memory_pressure),
        throttling=bool(status.throttling),
        cpu_percent=(cpu and cpu.percent) or 0,
        memory_percent=(memory and memory.used_percent) or 0,
        disk_percent=(disk and disk.used_percent) or 0,
        disk_free_percent=free,
        gpu_celsius=max([device.temperature or 0 for device in devices]) if devices else 0,
        system_critical=bool(report.is_system_critical) or _system_critical(category),
        recurring=recurring or bool(frequency and frequency.recurring),
    )


@lru_cache(1024)
def _system_critical(category: str) -> bool:
    return any(word in category for word in SYSTEM_CRITICAL)


def classify(f: Facts, thresholds: Thresholds) -> Classification:
    """Returns the severity of the first rule that matches, and the reasons of all that do."""
    severity: Severity = "info"
    details: list[Reason] = []
    for rule in RULES:
        reason = rule.matches(f, thresholds)
        if reason is not None:
            if not details:
                severity = rule.severity
            details.append(reason)
    if not details:
        details.append(_because(f"category {f.category}, nothing above a threshold"))
    return Classification(
        severity,
        tuple(details),
        f.system_critical,
        f.recurring,
        f.category.startswith(PREFIXES["hardware"]) or f.overheating or f.memory_pressure or f.throttling,
    )


def explain(reasons: Sequence[str], report: ErrorReport, thresholds: Thresholds) -> list[Reason]:
    """Returns the stored texts of a report's reasons with their measurements. A text that was made with other
    thresholds than these has no measurement."""
    known = {reason.text: reason for reason in classify(facts(report, recurring=False), thresholds).details}
    return [known.get(text) or _because(text) for text in reasons]
