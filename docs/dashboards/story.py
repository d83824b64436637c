"""A day and a night of a made-up fleet of 24 workers: its errors and its heartbeats. The same ones at each run.

-32 h ..................... -16 h ........... -6 h ............................................ END
yesterday, out of memory    a quiet night     shown: network, memory, heat, XIDs, a new type
"""

import datetime as dt
import json
import math
import random
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

MINUTE: Final = 60.0
HOUR: Final = 3600.0
HOURS: Final = 32
END: Final = int(dt.datetime(2026, 3, 12, 14, tzinfo=dt.UTC).timestamp())
BEGIN: Final = END - HOURS * 3600
A100: Final = [f"gpu-a100-{number:02d}" for number in range(1, 13)]
H100: Final = [f"gpu-h100-{number:02d}" for number in range(1, 9)]
WORKERS: Final = [*A100, *H100, *(f"cpu-epyc-{number:02d}" for number in range(1, 5))]
GPUS: Final = 4
HOT, BROKEN, FULL_DISK = "gpu-a100-07", "gpu-h100-02", "gpu-h100-03"
NOISY: Final = A100[:6]  # run out of memory
HEAT: Final = -2.4 * HOUR  # when a fan of the hot worker fails, relative to END
SHORTAGE: Final = (-3.4 * HOUR, -2.5 * HOUR)
HEARTBEAT: Final = 2 * MINUTE


class Error(NamedTuple):
    """An error that a worker reports, `at` so many seconds before (then negative) or after END."""

    at: float
    worker: str
    type: str
    category: str
    severity: str
    hardware: str | None = None


def busy(at: float) -> float:
    """The load of the fleet: 1 by day, a tenth at night. END is at 14:00."""
    hour = (14 + at / HOUR) % 24
    return 0.1 + 0.9 / (1 + math.exp(-2.5 * (min(hour - 7.2, 20.5 - hour))))


def errors() -> list[Error]:
    chance = random.Random(79)
    told = [*_usual(chance), *_network(chance, -4.8 * HOUR), *_memory(chance, *SHORTAGE), *_hardware(chance)]
    told += _memory(chance, -26.5 * HOUR, -26.2 * HOUR)
    known = {one.type: one for one in told if one.type != "XID 94"}
    told += [one._replace(at=-30 * HOUR) for one in known.values()]  # the types that are not new
    told += _checkpoints(chance)
    told += [Error(-3.5 * MINUTE, NOISY[0], "OutOfMemoryError", "RESOURCE_EXHAUSTED", "critical")]
    return sorted(told)


def _usual(chance: random.Random) -> Iterator[Error]:
    """What fails each day: flaky tests, mostly."""
    kinds = (
        ("AssertionError", "TEST_FAILURE", "info"), ("TimeoutError", "TEST_TIMEOUT", "info"),
        ("RuntimeError", "UNKNOWN_ERROR", "warning"), ("WorkerCrashed", "WORKER_CRASHED", "warning"),
        ("NCCLError", "NETWORK_TIMEOUT", "warning"),
    )  # fmt: skip
    at = -HOURS * HOUR
    while at < 0:
        at += chance.expovariate(busy(at) / (0.9 * MINUTE))
        kind = chance.choices(kinds, (30, 9, 0.8, 0.5, 0.5))[0]
        yield Error(at, chance.choice(WORKERS), *kind)
    for number in range(34):
        yield Error(-5.9 * HOUR + number * 10 * MINUTE + chance.uniform(0, 300), FULL_DISK,
                    "OSError", "RESOURCE_DISK", "warning")  # fmt: skip


def _network(chance: random.Random, begin: float) -> Iterator[Error]:
    """A switch restarts: most workers lose their peers for some minutes."""
    for worker in [*A100[4:], *H100[:5]]:
        for _ in range(chance.randrange(2, 7)):
            yield Error(begin + chance.triangular(0, 8 * MINUTE, MINUTE), worker,
                        "ConnectionError", "NETWORK_TIMEOUT", "warning")  # fmt: skip


def _memory(chance: random.Random, begin: float, end: float) -> Iterator[Error]:
    for place, worker in enumerate(NOISY):
        for _ in range(int((end - begin) / MINUTE * (0.9 - 0.12 * place))):
            yield Error(chance.triangular(begin, end), worker, "OutOfMemoryError", "RESOURCE_EXHAUSTED", "critical")


def _hardware(chance: random.Random) -> Iterator[Error]:
    for at in range(int(HEAT + 20 * MINUTE), 0, 260):
        yield Error(at + chance.uniform(0, 90), HOT, "ThermalThrottling", "HARDWARE_THERMAL", "warning", "cuda")
    for at in (-93, -92.5, -48, -19):
        yield Error(at * MINUTE, BROKEN, "XID 79", "HARDWARE_NOT_AVAILABLE", "critical", "cuda")
    for at, worker in ((-310, A100[8]), (-222, A100[8]), (-221, A100[8]), (-130, H100[5]), (-70, A100[8])):
        yield Error(at * MINUTE, worker, "XID 31", "HARDWARE_GPU", "warning", "cuda")
    for at in (-290, -288, -150, -12):
        yield Error(at * MINUTE, WORKERS[-3], "ECCError", "HARDWARE_MEMORY", "warning", "cpu")
    for at in (-165, -164):
        yield Error(at * MINUTE, H100[6], "XID 94", "HARDWARE_GPU", "warning", "cuda")


def _checkpoints(chance: random.Random) -> Iterator[Error]:
    """A type that was never seen before, and becomes more frequent."""
    for number in range(46):
        at = -50 * MINUTE + 50 * MINUTE * math.sqrt(number / 46)
        yield Error(at, chance.choice(A100), "CheckpointError", "TEST_FAILURE", "warning")


def heartbeat(worker: str, at: float) -> str:
    """The JSON of what the agent on a worker measures."""
    chance = random.Random(f"{worker} {at}")
    place = WORKERS.index(worker)
    load = busy(at) * (0.75 + 0.25 * math.sin(at / 2700 + place))
    short = worker in NOISY and SHORTAGE[0] - 600 < at < SHORTAGE[1]
    memory = 97 + chance.uniform(-1, 2) if short else 34 + 30 * load + place % 5 + chance.uniform(-2, 2)
    disk = 92 + 3 * at / HOUR / HOURS if worker == FULL_DISK else 48 + 1.3 * place + 2 * at / HOUR / HOURS
    context: dict[str, Any] = {
        "metrics": {
            "cpu": {"percent": round(12 + 55 * load + chance.uniform(-6, 6), 1)},
            "memory": {"used_percent": round(memory, 1)},
            "disk": {"used_percent": round(disk, 2)},
        }
    }
    heat = _heat(at) if worker == HOT else 0.0
    if worker.startswith("gpu"):
        watts = 380 if worker in A100 else 660
        context["gpu_metrics"] = {"devices": [
            {"index": number, "temperature": round(36 + 30 * load + number + heat * (number == 2) + chance.random(), 1),
             "memory_utilization": round(98.4 if short else 30 + 40 * load + 3 * number + chance.uniform(-3, 3), 1),
             "utilization": round(max(0.0, min(100.0, 96 * load + chance.uniform(-5, 5))), 1),
             "power_watts": round(70 + (watts - 70) * load - 4 * heat * (number == 2) + chance.uniform(-9, 9), 1),
             "clock_mhz": round((1410 if worker in A100 else 1755) - 24 * max(0.0, heat - 9) * (number == 2))}
            for number in range(GPUS)
        ]}  # fmt: skip
    status = {"overheating": heat > 25, "throttling": heat > 12, "memory_pressure": short}
    return json.dumps({"system_context": context, "hardware_context": {"hardware_status": status}})


def _heat(at: float) -> float:
    """The degrees by which the hot GPU is above the others."""
    return 30 * (1 - math.exp(-(at - HEAT) / (35 * MINUTE))) + 1.5 * math.sin(at / 500) if at > HEAT else 0.0
