"""The heartbeat of a machine, as its agent sends it, and what the service says about machines."""

import datetime as dt
from typing import Annotated, Final, Literal

from msgspec import Meta, Raw, Struct

MAX_HEARTBEAT: Final = 65_536  # bytes
MAX_INTERVAL: Final = 86_400.0  # seconds

Status = Literal["silent", "heard", "stopped"]


class Heartbeat(Struct):
    """A sign of life. Other fields are kept and shown as they are: `system_context` and `hardware_context` as in a
    report, `gpus`, `kernel_log`, `problems`."""

    worker_id: Annotated[str, Meta(min_length=1, max_length=256)]
    interval: (
        Annotated[float, Meta(gt=0, le=MAX_INTERVAL, description="seconds until the next one, as the sender means it")]
        | None
    ) = None
    stopping: Annotated[bool | None, Meta(description="the sender ends: it is not silent afterwards")] = None


class Received(Struct):
    """A heartbeat was received."""

    worker_id: str
    silent_after: Annotated[float, Meta(description="seconds without a heartbeat after which the machine is silent")]


class Machine(Struct):
    """What is known of a machine. `heartbeat` is its last one; null if the service was restarted since, or if there are
    too many machines."""

    worker_id: str
    status: Status
    last_seen: dt.datetime
    age_seconds: float
    silent_after: float
    heartbeat: Raw | None


class Machines(Struct):
    """Machines that send heartbeats, silent ones first, then by name. `forgotten`: machines that were dropped since the
    start of the service, because there were too many."""

    machines: list[Machine]
    heard: int
    silent: int
    stopped: int
    forgotten: int
