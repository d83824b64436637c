"""Classify: a report → critical, warning or info, and why. Pure; the rules are the one table `RULES`.

Rules are tried in the table's order. The first that holds gives the severity, and the reasons of all that hold are
returned, so that a reader sees everything that spoke for it.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Final, NamedTuple

from msgspec import Struct

from exporter.events.event import Severity
from exporter.events.report import (
    UNKNOWN_CATEGORY,
    ErrorReport,
    HardwareContext,
    HardwareStatus,
    Metrics,
    SystemContext,
)


class Thresholds(Struct, frozen=True):
    """From where on a measurement speaks for a severity: percent, °C, and how often a pattern recurs. All exclusive."""

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


class Facts(NamedTuple):
    """What the rules look at. A measurement that the report lacks is 0 (free disk: 100), which no rule objects to."""

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


class Classification(NamedTuple):
    severity: Severity
    reasons: tuple[str, ...]
    is_system_critical: bool
    is_recurring: bool
    hardware_error: bool


class Rule(NamedTuple):
    """`holds` answers with the reason, or with "" where the rule does not hold."""

    severity: Severity
    holds: Callable[[Facts, Thresholds], str]


CRITICAL_CATEGORIES: Final = frozenset(
    {"HARDWARE_NOT_AVAILABLE", "RESOURCE_EXHAUSTED", "WORKER_CRASHED", "WORKER_CRASH_ERROR"}
)
SYSTEM_CRITICAL: Final = ("COORDINATOR_FAILURE", "DATABASE_CORRUPTION", "SECURITY_BREACH")
WARNING_PREFIXES: Final = ("NETWORK_", "RESOURCE_", "WORKER_", "HARDWARE_")


def _over(name: str, value: float, limit: float, unit: str = " %") -> str:
    return f"{name} {value:g}{unit} > {limit:g}{unit}" if value > limit else ""


def _warning_category(f: Facts, _: Thresholds) -> str:
    if f.category in CRITICAL_CATEGORIES or not f.category.startswith(WARNING_PREFIXES):
        return ""
    return f"category {f.category}"


def _free_disk(f: Facts, t: Thresholds) -> str:
    left, least = f.disk_free_percent, t.critical_disk_free_percent
    return f"free disk {left:.3g} % < {least:g} %" if left < least else ""


RULES: Final[tuple[Rule, ...]] = (
    Rule("critical", lambda f, t: f"category {f.category}" if f.category in CRITICAL_CATEGORIES else ""),
    Rule("critical", lambda f, t: "hardware is overheating" if f.overheating else ""),
    Rule("critical", lambda f, t: "hardware is under memory pressure" if f.memory_pressure else ""),
    Rule("critical", lambda f, t: _over("CPU", f.cpu_percent, t.critical_cpu_percent)),
    Rule("critical", lambda f, t: _over("memory", f.memory_percent, t.critical_memory_percent)),
    Rule("critical", lambda f, t: _over("disk", f.disk_percent, t.critical_disk_percent)),
    Rule("critical", _free_disk),
    Rule("critical", lambda f, t: "system-critical" if f.system_critical else ""),
    Rule("warning", _warning_category),
    Rule("warning", lambda f, t: "hardware is throttling" if f.throttling else ""),
    Rule("warning", lambda f, t: _over("CPU", f.cpu_percent, t.warning_cpu_percent)),
    Rule("warning", lambda f, t: _over("memory", f.memory_percent, t.warning_memory_percent)),
    Rule("warning", lambda f, t: _over("disk", f.disk_percent, t.warning_disk_percent)),
    Rule("warning", lambda f, t: _over("GPU temperature", f.gpu_celsius, t.warning_gpu_celsius, " °C")),
    Rule("warning", lambda f, t: "recurring" if f.recurring else ""),
)

_NO_METRICS: Final = Metrics()
_NO_STATUS: Final = HardwareStatus()
_NO_SYSTEM: Final = SystemContext()
_NO_HARDWARE: Final = HardwareContext()


def facts(report: ErrorReport, *, recurring: bool) -> Facts:
    """What speaks for a severity in `report`. `recurring` is our own count; the sender's word is taken too."""
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
    """The severity of the first rule that holds, and the reasons of all that do."""
    severity: Severity = "info"
    reasons: list[str] = []
    for rule in RULES:
        reason = rule.holds(f, thresholds)
        if reason:
            if not reasons:
                severity = rule.severity
            reasons.append(reason)
    return Classification(
        severity,
        tuple(reasons) or (f"category {f.category}, nothing above a threshold",),
        f.system_critical,
        f.recurring,
        f.category.startswith("HARDWARE_") or f.overheating or f.memory_pressure or f.throttling,
    )
