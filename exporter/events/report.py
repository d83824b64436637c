"""The error report: the JSON object that a worker sends, with the field names of the user guide.

Every field is typed and may be null; `exporter.events.tolerant` reads values of another type. Unknown fields are
allowed; the stored event keeps the report's own JSON text, so they are not lost. Units: percent 0 to 100, gigabytes
(2^30 bytes), MHz, °C, watts.
"""

import datetime as dt
from typing import Annotated, Any, Final

from msgspec import Meta, Struct

MAX_LABEL: Final = 256  # characters of worker_id, type and error_category that are kept in columns
MAX_EVENT_ID: Final = 256  # characters
MAX_TEST_ID: Final = 1_024  # characters of the id of a test that are kept in columns
MAX_DEVICES: Final = 64  # of one report, that are kept in columns
FUTURE_TOLERANCE: Final = dt.timedelta(minutes=5)  # a timestamp further ahead is replaced by the receipt
UNKNOWN_CATEGORY: Final = "UNKNOWN_ERROR"

Time = Annotated[
    Any,
    Meta(
        description="when the error happened: ISO 8601, or epoch seconds, milli-, micro- or nanoseconds",
        extra_json_schema={"anyOf": [{"type": "string"}, {"type": "number"}, {"type": "null"}]},
    ),
]


class Cpu(Struct, gc=False):
    percent: float | None = None
    count: int | None = None
    physical_count: int | None = None
    frequency_mhz: float | None = None


class Memory(Struct, gc=False):
    used_percent: float | None = None
    total_gb: float | None = None
    available_gb: float | None = None


class Disk(Struct, gc=False):
    used_percent: float | None = None
    total_gb: float | None = None
    free_gb: float | None = None


class Metrics(Struct, gc=False):
    cpu: Cpu | None = None
    memory: Memory | None = None
    disk: Disk | None = None


class Device(Struct, gc=False):
    index: int | None = None
    name: str | None = None
    memory_utilization: float | None = None
    temperature: float | None = None
    utilization: float | None = None
    power_watts: float | None = None
    clock_mhz: float | None = None


class GpuMetrics(Struct, gc=False):
    count: int | None = None
    devices: list[Device] | None = None


class SystemContext(Struct, gc=False):
    hostname: str | None = None
    platform: str | None = None
    architecture: str | None = None
    python_version: str | None = None
    metrics: Metrics | None = None
    gpu_metrics: GpuMetrics | None = None


class HardwareStatus(Struct, gc=False):
    overheating: bool | None = None
    memory_pressure: bool | None = None
    throttling: bool | None = None


CONDITIONS: Final = HardwareStatus.__struct_fields__


class HardwareContext(Struct, gc=False):
    hardware_type: str | None = None
    hardware_types: list[str] | None = None
    hardware_status: HardwareStatus | None = None


class Frequencies(Struct, gc=False):
    last_1h: int | None = None
    last_6h: int | None = None
    last_24h: int | None = None


class ErrorFrequency(Struct, gc=False):
    recurring: bool | None = None
    same_type: Frequencies | None = None
    similar_message: Frequencies | None = None


class RunContext(Struct, gc=False):
    """The run of tests, or the job, in which the error happened."""

    id: str | None = None
    job: str | None = None
    suite: str | None = None
    commit: str | None = None
    branch: str | None = None
    user: str | None = None
    url: str | None = None


class TestContext(Struct, gc=False):
    """The test in which the error happened. `attempt` counts from 1; `duration` is in seconds."""

    id: str | None = None
    file: str | None = None
    attempt: int | None = None
    outcome: str | None = None
    duration: float | None = None


class DeviceContext(Struct, gc=False):
    """A device that the error concerns. `uuid` or `serial` identify it everywhere, `pci` and `index` within its
    worker."""

    kind: str | None = None
    uuid: str | None = None
    serial: str | None = None
    pci: str | None = None
    index: int | None = None


# The field that a text stands for where an object is expected: {"run": "4711"} is {"run": {"id": "4711"}}.
MAIN_FIELDS: Final[dict[type[Struct], str]] = {RunContext: "id", TestContext: "id", DeviceContext: "uuid"}


class ErrorReport(Struct, gc=False):
    """One inbound report. Units are the guide's: percent 0 to 100, gigabytes, MHz, °C. A value of another type is read
    as it is meant, or dropped and named in `warnings`. Refused is only a report without `worker_id`, without `message`
    and `type`, or with an `event_id` that has no meaning."""

    worker_id: str | None = None
    type: str | None = None
    message: str | None = None
    error_category: str | None = None
    traceback: str | None = None
    timestamp: Time = None
    system_context: SystemContext | None = None
    hardware_context: HardwareContext | None = None
    error_frequency: ErrorFrequency | None = None
    event_id: str | None = None
    is_system_critical: bool | None = None
    run: RunContext | None = None
    test: TestContext | None = None
    devices: list[DeviceContext] | None = None
