"""Every rule and both sides of every threshold. A rule that is taken out fails its own test."""

from typing import get_args

import pytest
from conftest import ROOT

from exporter.events.report import (
    Cpu,
    Device,
    Disk,
    ErrorFrequency,
    ErrorReport,
    Frequencies,
    GpuMetrics,
    HardwareContext,
    HardwareStatus,
    Memory,
    Metrics,
    SystemContext,
)  # fmt: skip
from exporter.ingest import severity
from exporter.ingest.measurements import Measurements, measure
from exporter.ingest.severity import (
    Classification,
    Classifier,
    Conditions,
    Measurement,
    Reason,
    Thresholds,
    conditions,
    explain,
    rules,
)

pytestmark = pytest.mark.severity


def seen(**fields: object) -> Conditions:
    return conditions(ErrorReport(worker_id="w", message="m", **fields), recurring=False, thresholds=Thresholds())


def judge(*, recurring: bool = False, thresholds: Thresholds | None = None, **fields: object) -> Classification:
    report = ErrorReport(**{"worker_id": "w", "message": "m"} | fields)
    thresholds = thresholds or Thresholds()
    measured, _ = measure(report.system_context)
    return Classifier(thresholds).classify(conditions(report, recurring=recurring, thresholds=thresholds), measured)


def system(**parts: object) -> SystemContext:
    devices = parts.pop("devices", None)
    return SystemContext(metrics=Metrics(**parts), gpu_metrics=GpuMetrics(devices=devices) if devices else None)


def status(**conditions: bool) -> HardwareContext:
    return HardwareContext(hardware_status=HardwareStatus(**conditions))


TABLE = [
    ("critical", "category HARDWARE_NOT_AVAILABLE", {"error_category": "HARDWARE_NOT_AVAILABLE"}),
    ("critical", "category RESOURCE_EXHAUSTED", {"error_category": "RESOURCE_EXHAUSTED"}),
    ("critical", "category RESOURCE_EXHAUSTED", {"error_category": "resource_Exhausted"}),
    ("critical", "category WORKER_CRASHED", {"error_category": "WORKER_CRASHED"}),
    ("critical", "category WORKER_CRASH_ERROR", {"error_category": "WORKER_CRASH_ERROR"}),
    ("critical", "hardware is overheating", {"hardware_context": status(overheating=True)}),
    ("critical", "hardware is under memory pressure", {"hardware_context": status(memory_pressure=True)}),
    ("critical", "CPU 90.1 % > 90 %", {"system_context": system(cpu=Cpu(percent=90.1))}),
    ("critical", "memory 95.1 % > 95 %", {"system_context": system(memory=Memory(used_percent=95.1))}),
    ("critical", "disk 95.1 % > 95 %", {"system_context": system(disk=Disk(used_percent=95.1))}),
    ("critical", "free disk 4.9 % < 5 %", {"system_context": system(disk=Disk(total_gb=1000, free_gb=49))}),
    ("critical", "free disk 0 % < 5 %", {"system_context": system(disk=Disk(total_gb=1000, free_gb=0))}),
    ("critical", "free disk 0 % < 5 %", {"system_context": system(disk=Disk(free_gb=0))}),
    ("critical", "category RESOURCE_EXHAUSTED, derived from the message: out of memory on a GPU",
     {"message": "CUDA out of memory. Tried to allocate 2.00 GiB"}),
    ("critical", "system-critical", {"is_system_critical": True}),
    ("critical", "system-critical", {"error_category": "THE_COORDINATOR_FAILURE_X"}),
    ("critical", "system-critical", {"error_category": "DATABASE_CORRUPTION"}),
    ("critical", "system-critical", {"error_category": "security_breach"}),
    ("warning", "category NETWORK_TIMEOUT", {"error_category": "network_timeout"}),
    ("warning", "category RESOURCE_LEAK", {"error_category": "RESOURCE_LEAK"}),
    ("warning", "category WORKER_SLOW", {"error_category": "WORKER_SLOW"}),
    ("warning", "category HARDWARE_THERMAL", {"error_category": "HARDWARE_THERMAL"}),
    ("warning", "hardware is throttling", {"hardware_context": status(throttling=True)}),
    ("warning", "CPU 90 % > 75 %", {"system_context": system(cpu=Cpu(percent=90))}),
    ("warning", "CPU 75.1 % > 75 %", {"system_context": system(cpu=Cpu(percent=75.1))}),
    ("warning", "memory 95 % > 80 %", {"system_context": system(memory=Memory(used_percent=95))}),
    ("warning", "memory 80.1 % > 80 %", {"system_context": system(memory=Memory(used_percent=80.1))}),
    ("warning", "disk 95 % > 85 %", {"system_context": system(disk=Disk(used_percent=95))}),
    ("warning", "disk 85.1 % > 85 %", {"system_context": system(disk=Disk(used_percent=85.1))}),
    ("warning", "free disk 14.9 % < 15 %", {"system_context": system(disk=Disk(total_gb=1000, free_gb=149))}),
    ("warning", "free disk 5 % < 15 %", {"system_context": system(disk=Disk(total_gb=1000, free_gb=50))}),
    ("warning", "category NETWORK_CONNECTION, derived from the type: a connection was refused, reset or lost",
     {"type": "ConnectionRefusedError"}),
    ("warning", "GPU temperature 85.5 °C > 85 °C",
     {"system_context": system(devices=[Device(temperature=50), Device(), Device(temperature=85.5)])}),
    ("warning", "recurring", {"recurring": True}),
    ("warning", "recurring", {"error_frequency": ErrorFrequency(recurring=True)}),
    ("warning", "recurring: 3 in an hour, counted by the sender",
     {"error_frequency": ErrorFrequency(similar_message=Frequencies(last_1h=3))}),
    ("warning", "recurring: 12 in an hour, counted by the sender",
     {"error_frequency": ErrorFrequency(recurring=False, same_type=Frequencies(12, 12, 12),
                                        similar_message=Frequencies(last_1h=1))}),
    ("warning", "recurring: more than 1000000000 in an hour, counted by the sender",
     {"error_frequency": ErrorFrequency(same_type=Frequencies(last_1h=10**4000))}),
    ("warning", "recurring: 6 in six hours, counted by the sender",
     {"error_frequency": ErrorFrequency(same_type=Frequencies(last_1h=2, last_6h=6))}),
    ("info", "category TEST_FAILURE, derived from the message: a failed assertion in a test",
     {"message": "assert 1 == 2"}),
    ("info", "category TEST_FAILURE, nothing above a threshold", {"error_category": "TEST_FAILURE"}),
    ("info", "category UNKNOWN_ERROR, nothing above a threshold", {"error_category": "UNKNOWN_ERROR"}),
    ("info", "category UNKNOWN_ERROR, nothing above a threshold", {}),
    ("info", "category SOMETHING, nothing above a threshold", {"error_category": "SOMETHING"}),
]  # fmt: skip


@pytest.mark.parametrize(("severity", "reason", "fields"), TABLE, ids=[f"{i}-{row[1]}" for i, row in enumerate(TABLE)])
def test_severity_and_reason(severity: str, reason: str, fields: dict[str, object]) -> None:
    judged = judge(**fields)
    assert judged.severity == severity
    assert reason in judged.reasons


@pytest.mark.parametrize(
    "fields",
    [
        {"system_context": system(cpu=Cpu(percent=75), memory=Memory(used_percent=80), disk=Disk(used_percent=85))},
        {"system_context": system(disk=Disk(total_gb=1000, free_gb=150))},
        {"system_context": system(disk=Disk(total_gb=0, free_gb=0))},
        {"system_context": system(disk=Disk(total_gb=1000))},
        {"system_context": system(disk=Disk(free_gb=0.1))},
        {"system_context": system(devices=[Device(temperature=85)])},
        {"hardware_context": status(overheating=False, memory_pressure=False, throttling=False)},
        {"error_frequency": ErrorFrequency(recurring=False)},
        {"error_frequency": ErrorFrequency(False, Frequencies(2, 5, 900), Frequencies(2, 5, 900))},
        {"is_system_critical": False},
        {"system_context": SystemContext(), "hardware_context": HardwareContext()},
    ],
)
def test_at_a_threshold_nothing_holds(fields: dict[str, object]) -> None:
    assert judge(**fields).severity == "info"


@pytest.mark.parametrize("number", range(len(rules(Thresholds()))))
def test_no_rule_can_be_taken_out(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each rule is the only one to give some reason of the table."""
    table = rules(Thresholds())
    monkeypatch.setattr(severity, "rules", lambda _: (*table[:number], *table[number + 1 :]))
    missing = [reason for _, reason, fields in TABLE if reason not in judge(**fields).reasons]
    assert missing, f"no row of the table needs rule {number}"


def test_all_reasons_are_told_the_highest_severity_first() -> None:
    judged = judge(
        error_category="RESOURCE_EXHAUSTED",
        hardware_context=status(memory_pressure=True, throttling=True),
        error_frequency=ErrorFrequency(recurring=True),
    )
    assert judged.severity == "critical"
    assert judged.reasons == (
        "category RESOURCE_EXHAUSTED", "hardware is under memory pressure", "hardware is throttling", "recurring",
    )  # fmt: skip


def test_the_counts_of_the_sender_have_the_thresholds_of_our_own() -> None:
    counted = {"error_frequency": ErrorFrequency(similar_message=Frequencies(last_1h=9, last_6h=9))}
    limits = Thresholds(recurring_per_hour=9, recurring_per_6_hours=8)
    assert judge(thresholds=limits, **counted).reasons == ("recurring: 9 in six hours, counted by the sender",)
    assert judge(thresholds=Thresholds(recurring_per_hour=9, recurring_per_6_hours=9), **counted).severity == "info"


@pytest.mark.parametrize(
    ("sent", "stored"),
    [("Resource_Exhausted", "RESOURCE_EXHAUSTED"), (" network_timeout\n", "NETWORK_TIMEOUT"),
     ("disk nearly  full", "DISK NEARLY  FULL"), ("größe", "GRÖSSE"), ("x" * 300, "X" * 256), ("a\x00b", "A\x00B"),
     (" ", "UNKNOWN_ERROR"), ("", "UNKNOWN_ERROR"), (None, "UNKNOWN_ERROR"), ("unknown_error", "UNKNOWN_ERROR")],
)  # fmt: skip
def test_a_category_has_one_spelling(sent: str | None, stored: str) -> None:
    assert seen(error_category=sent).category == stored


@pytest.mark.parametrize("sent", ["UNKNOWN_ERROR", "TEST_FAILURE", "whatever"])
def test_a_category_that_was_sent_is_kept(sent: str) -> None:
    judged = judge(message="CUDA out of memory.", error_category=sent)
    assert (judged.severity, judged.reasons) == ("info", (f"category {sent.upper()}, nothing above a threshold",))


def test_deriving_is_a_setting() -> None:
    report = ErrorReport(worker_id="w", message="CUDA out of memory.")
    by_setting = [
        conditions(report, recurring=False, thresholds=Thresholds(), derive_category=on).category
        for on in (True, False)
    ]
    assert by_setting == ["RESOURCE_EXHAUSTED", "UNKNOWN_ERROR"]


def test_flags() -> None:
    assert seen(error_category="COORDINATOR_FAILURE").system_critical
    assert not seen(error_category="WORKER_CRASHED").system_critical
    assert seen(error_category="HARDWARE_THERMAL").hardware_error
    assert seen(hardware_context=status(throttling=True)).hardware_error
    assert not seen(error_category="NETWORK_X").hardware_error


@pytest.mark.parametrize(
    ("setting", "value", "fields", "severity"),
    [
        ("critical_cpu_percent", 50, {"system_context": system(cpu=Cpu(percent=51))}, "critical"),
        ("critical_memory_percent", 50, {"system_context": system(memory=Memory(used_percent=51))}, "critical"),
        ("critical_disk_percent", 50, {"system_context": system(disk=Disk(used_percent=51))}, "critical"),
        ("critical_disk_free_percent", 50, {"system_context": system(disk=Disk(total_gb=10, free_gb=4))}, "critical"),
        ("warning_cpu_percent", 50, {"system_context": system(cpu=Cpu(percent=51))}, "warning"),
        ("warning_memory_percent", 50, {"system_context": system(memory=Memory(used_percent=51))}, "warning"),
        ("warning_disk_percent", 50, {"system_context": system(disk=Disk(used_percent=51))}, "warning"),
        ("warning_disk_free_percent", 50, {"system_context": system(disk=Disk(total_gb=10, free_gb=4))}, "warning"),
        ("warning_gpu_celsius", 50, {"system_context": system(devices=[Device(temperature=51)])}, "warning"),
    ],
)
def test_thresholds_are_settings(setting: str, value: float, fields: dict[str, object], severity: str) -> None:
    assert judge(**fields).severity == "info"
    assert judge(thresholds=Thresholds(**{setting: value}), **fields).severity == severity


MEASURED = [
    (Reason("CPU 91 % > 90 %", "cpu_percent", 91, 90), {"cpu": Cpu(percent=91)}),
    (Reason("CPU 80.1235 % > 75 %", "cpu_percent", 80.12345678, 75), {"cpu": Cpu(percent=80.12345678)}),
    (Reason("memory 96 % > 95 %", "memory_percent", 96, 95), {"memory": Memory(used_percent=96)}),
    (Reason("memory 81 % > 80 %", "memory_percent", 81, 80), {"memory": Memory(used_percent=81)}),
    (Reason("disk 96 % > 95 %", "disk_percent", 96, 95), {"disk": Disk(used_percent=96)}),
    (Reason("disk 86 % > 85 %", "disk_percent", 86, 85), {"disk": Disk(used_percent=86)}),
    (Reason("free disk 4 % < 5 %", "disk_free_percent", 4, 5), {"disk": Disk(free_gb=40, total_gb=1000)}),
    (Reason("free disk 10 % < 15 %", "disk_free_percent", 10, 15), {"disk": Disk(free_gb=100, total_gb=1000)}),
    (Reason("GPU temperature 90 °C > 85 °C", "gpu_celsius", 90, 85), {"devices": [Device(temperature=90), Device()]}),
]


@pytest.mark.parametrize(("reason", "parts"), MEASURED, ids=[reason.text for reason, _ in MEASURED])
def test_a_reason_about_a_measurement_has_its_value_and_limit(reason: Reason, parts: dict[str, object]) -> None:
    judged = judge(system_context=system(**parts))
    assert judged.details[0] == reason
    assert judged.reasons == tuple(detail.text for detail in judged.details)


@pytest.mark.parametrize(
    ("fields", "text"),
    [({"error_category": "WORKER_CRASHED"}, "category WORKER_CRASHED"),
     ({"hardware_context": status(throttling=True)}, "hardware is throttling"), ({"recurring": True}, "recurring"),
     ({}, "category UNKNOWN_ERROR, nothing above a threshold")],
)  # fmt: skip
def test_other_reasons_have_no_measurement(fields: dict[str, object], text: str) -> None:
    assert judge(**fields).details == (Reason(text, None, None, None),)


def test_stored_reasons_are_explained_by_the_report() -> None:
    report = ErrorReport(worker_id="w", message="m", system_context=system(cpu=Cpu(percent=99)))
    judged = judge(system_context=report.system_context, recurring=True)
    reasons = (*judged.reasons, "CPU 99 % > 98 %")
    assert explain(reasons, report, Thresholds()) == [
        Reason("CPU 99 % > 90 %", "cpu_percent", 99, 90),
        Reason("CPU 99 % > 75 %", "cpu_percent", 99, 75),
        Reason("recurring", None, None, None),
        Reason("CPU 99 % > 98 %", None, None, None),  # of other thresholds
    ]


def test_every_measurement_is_known_to_the_page() -> None:
    """The page marks the measured value that a reason is about."""
    assert get_args(Measurement) == Measurements._fields
    script = (ROOT / "exporter/page/details.js").read_text("utf-8")
    for name in set(Measurements._fields) - {"gpu_celsius"}:  # GPUs have a table of their own
        assert f'"{name}"' in script
    assert "gpu_celsius" in script
