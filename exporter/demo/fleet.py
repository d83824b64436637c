"""A simulated fleet of test workers and its errors. Deterministic: the same seed gives the same errors."""

import math
import random
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

Report = dict[str, Any]


class Moment(NamedTuple):
    """A report and its time in seconds since the simulation began. The report has no `timestamp` yet."""

    seconds: float
    report: Report


class Worker(NamedTuple):
    name: str
    hardware: str
    gpu: str
    memory_gb: float


HARDWARE: Final = (
    ("gpu-a100", "cuda", "NVIDIA A100-SXM4-80GB", 512.0),
    ("gpu-h100", "cuda", "NVIDIA H100 80GB HBM3", 1024.0),
    ("gpu-mi300", "rocm", "AMD Instinct MI300X", 1024.0),
    ("mac-m3", "mps", "Apple M3 Max", 128.0),
    ("cpu-epyc", "cpu", "", 256.0),
    ("web-edge", "webgpu", "Intel Arc A770", 32.0),
)
OOM: Final = """Traceback (most recent call last):
  File "/srv/suite/tests/test_training.py", line {line}, in test_train_step
    loss = model(batch).loss
  File "/srv/venv/lib/python3.11/site-packages/torch/nn/modules/module.py", line 1553, in _wrapped_call_impl
    return self._call_impl(*args, **kwargs)
torch.OutOfMemoryError: CUDA out of memory."""
ASSERTION: Final = """Traceback (most recent call last):
  File "/srv/suite/tests/{module}.py", line {line}, in {test}
    assert actual == pytest.approx(expected, rel=1e-3)
AssertionError"""


def workers(count: int) -> list[Worker]:
    """Returns `count` workers that cycle through the kinds of `HARDWARE`, numbered within each kind."""
    return [
        Worker(f"{kind}-{number // len(HARDWARE) + 1:02d}", hardware, gpu, memory)
        for number in range(count)
        for kind, hardware, gpu, memory in [HARDWARE[number % len(HARDWARE)]]
    ]


def story(seed: int, count: int = 24) -> Iterator[Moment]:
    """Yields the errors of a fleet of `count` workers without end, ordered by time: single errors, bursts and cascades,
    on average about one per second."""
    rng = random.Random(seed)
    fleet = workers(count)
    seconds = 0.0
    while True:
        incident = rng.choices(INCIDENTS, WEIGHTS)[0]
        for pause, report in incident(rng, fleet, seconds):
            seconds += pause
            yield Moment(seconds, report)
        seconds += rng.expovariate(0.7)


Incident = Callable[[random.Random, list[Worker], float], Iterator[tuple[float, Report]]]


def _flaky_test(rng: random.Random, fleet: list[Worker], now: float) -> Iterator[tuple[float, Report]]:
    module, test = rng.choice(
        (("test_allreduce", "test_mean"), ("test_matmul", "test_tolerance"), ("test_io", "test_resume"))
    )
    actual = rng.uniform(0.9, 1.1)
    yield 0.0, _report(
        rng, rng.choice(fleet), now, "AssertionError", "TEST_FAILURE",
        f"{test}: {actual:.6f} != 1.0 ± 0.001 after {rng.randrange(2, 5)} tries",
        traceback=ASSERTION.format(module=module, test=test, line=rng.randrange(40, 200)),
    )  # fmt: skip


def _slow_test(rng: random.Random, fleet: list[Worker], now: float) -> Iterator[tuple[float, Report]]:
    message = f"test_checkpoint[{rng.choice(('bf16', 'fp32'))}] ran longer than {rng.choice((300, 600))} s"
    yield 0.0, _report(rng, rng.choice(fleet), now, "TimeoutError", "TEST_TIMEOUT", message)


def _out_of_memory(rng: random.Random, fleet: list[Worker], now: float) -> Iterator[tuple[float, Report]]:
    worker = _gpu(rng, fleet, "cuda")
    for _ in range(rng.randrange(1, 5)):
        message = (
            f"CUDA out of memory. Tried to allocate {rng.uniform(0.5, 9):.2f} GiB. GPU {rng.randrange(8)} has a total "
            f"capacity of 79.15 GiB of which {rng.uniform(1, 900):.2f} MiB is free."
        )
        yield rng.uniform(0.2, 4), _report(
            rng, worker, now, "OutOfMemoryError", "RESOURCE_EXHAUSTED", message, pressure=True,
            traceback=OOM.format(line=rng.randrange(80, 120)),
        )  # fmt: skip


def _partition(rng: random.Random, fleet: list[Worker], now: float) -> Iterator[tuple[float, Report]]:
    cut = rng.sample(fleet, min(len(fleet), rng.randrange(3, 7)))
    for worker in cut:
        peer = f"10.0.{rng.randrange(4)}.{rng.randrange(2, 250)}:29500"
        yield rng.uniform(0, 0.6), _report(rng, worker, now, "ConnectionError", "NETWORK_PARTITION",
                                           f"no answer from {peer} for {rng.randrange(30, 90)} s")  # fmt: skip


def _nccl_hang(rng: random.Random, fleet: list[Worker], now: float) -> Iterator[tuple[float, Report]]:
    gpus = [worker for worker in fleet if worker.hardware == "cuda"] or fleet
    number = rng.randrange(1000, 99999)
    for rank, worker in enumerate(gpus):
        message = (
            f"[Rank {rank}] Watchdog caught collective operation timeout: WorkNCCL(SeqNum={number}, OpType=ALLREDUCE, "
            f"Timeout(ms)=600000) ran for {rng.randrange(600000, 600900)} milliseconds before timing out."
        )
        yield rng.uniform(0, 0.3), _report(rng, worker, now, "DistBackendError", "NETWORK_TIMEOUT", message)
    lost = rng.choice(gpus)
    yield (
        1.0,
        _report(rng, lost, now, "WorkerCrashed", "WORKER_CRASHED", f"worker {lost.name} ended by signal 6 (SIGABRT)"),
    )


def _crash(rng: random.Random, fleet: list[Worker], now: float) -> Iterator[tuple[float, Report]]:
    worker = rng.choice(fleet)
    yield 0.0, _report(rng, worker, now, "WorkerCrashed", "WORKER_CRASHED",
                       f"node down: worker 'gw{rng.randrange(16)}' crashed with exit code 137")  # fmt: skip


def _fell_off_the_bus(rng: random.Random, fleet: list[Worker], now: float) -> Iterator[tuple[float, Report]]:
    worker = _gpu(rng, fleet, "cuda")
    bus = f"0000:{rng.randrange(16, 255):02x}:00"
    message = f"NVRM: Xid (PCI:{bus}): 79, pid={rng.randrange(1000, 60000)}, GPU has fallen off the bus."
    yield 0.0, _report(rng, worker, now, "XID 79", "HARDWARE_NOT_AVAILABLE", message)


def _heat(rng: random.Random, fleet: list[Worker], now: float) -> Iterator[tuple[float, Report]]:
    worker = _gpu(rng, fleet, rng.choice(("cuda", "rocm")))
    for celsius in range(84, 84 + 3 * rng.randrange(2, 5), 3):
        yield rng.uniform(2, 6), _report(
            rng, worker, now, "ThermalThrottling", "HARDWARE_THERMAL", f"GPU clocks lowered at {celsius} °C",
            celsius=celsius, throttling=True, overheating=celsius > 90,
        )  # fmt: skip


def _disk(rng: random.Random, fleet: list[Worker], now: float) -> Iterator[tuple[float, Report]]:
    yield 0.0, _report(rng, rng.choice(fleet), now, "OSError", "RESOURCE_DISK",
                       f"[Errno 28] No space left on device: '/scratch/run-{rng.randrange(9999)}/trace.json'",
                       disk=rng.uniform(88, 99))  # fmt: skip


def _coordinator(rng: random.Random, fleet: list[Worker], now: float) -> Iterator[tuple[float, Report]]:
    message = f"lost the lease of term {rng.randrange(10, 99)}; no leader"
    yield 0.0, _report(rng, fleet[0], now, "CoordinatorError", "COORDINATOR_FAILURE", message, is_system_critical=True)


def _unknown(rng: random.Random, fleet: list[Worker], now: float) -> Iterator[tuple[float, Report]]:
    yield 0.0, _report(rng, rng.choice(fleet), now, "RuntimeError", "UNKNOWN_ERROR",
                       f"unexpected state {rng.choice(('draining', 'idle'))} in step {rng.randrange(400)}")  # fmt: skip


INCIDENTS: Final[tuple[Incident, ...]] = (
    _flaky_test, _slow_test, _out_of_memory, _partition, _nccl_hang, _crash, _fell_off_the_bus, _heat, _disk,
    _coordinator, _unknown,
)  # fmt: skip
WEIGHTS: Final = (30, 8, 9, 4, 1, 4, 2, 4, 4, 0.5, 6)


def _gpu(rng: random.Random, fleet: list[Worker], hardware: str) -> Worker:
    return rng.choice([worker for worker in fleet if worker.hardware == hardware] or fleet)


def _report(
    rng: random.Random,
    worker: Worker,
    now: float,
    type_: str,
    category: str,
    message: str,
    *,
    traceback: str | None = None,
    pressure: bool = False,
    throttling: bool = False,
    overheating: bool = False,
    celsius: float = 0.0,
    disk: float = 0.0,
    **more: Any,
) -> Report:
    """Returns a report in the guide's schema. The load is a slow sine wave; its phase depends on the worker's name."""
    drift = math.sin(now / 600 + len(worker.name) + ord(worker.name[-1]))
    cpu, memory = 45 + 25 * drift + rng.uniform(-4, 4), (97 if pressure else 55 + 15 * drift) + rng.uniform(-2, 2)
    used = disk or 60 + 10 * drift
    devices = [
        {"index": index, "name": worker.gpu, "memory_utilization": round(99.0 if pressure else 62 + 9 * drift, 1),
         "temperature": round(celsius or 66 + 8 * drift + index, 1), "utilization": round(70 + 28 * drift, 1),
         "power_watts": round(420 + 180 * drift + 10 * index, 1), "clock_mhz": 1200 if throttling else 1755}
        for index in range(2 if worker.gpu else 0)
    ]  # fmt: skip
    return {
        "worker_id": worker.name,
        "type": type_,
        "error_category": category,
        "message": message,
        "traceback": traceback,
        "system_context": {
            "hostname": f"{worker.name}.lab",
            "platform": "darwin" if worker.hardware == "mps" else "linux",
            "architecture": "arm64" if worker.hardware == "mps" else "x86_64",
            "python_version": "3.11.9",
            "metrics": {
                "cpu": {"percent": round(cpu, 1), "count": 64, "physical_count": 32, "frequency_mhz": 3200},
                "memory": {"used_percent": round(min(memory, 99.5), 1), "total_gb": worker.memory_gb,
                           "available_gb": round(worker.memory_gb * max(100 - memory, 0.5) / 100, 1)},
                "disk": {"used_percent": round(used, 1), "total_gb": 2048, "free_gb": round(20.48 * (100 - used), 1)},
            },
            "gpu_metrics": {"count": len(devices), "devices": devices},
        },
        "hardware_context": {
            "hardware_type": worker.hardware,
            "hardware_types": [worker.hardware, "cpu"] if worker.hardware != "cpu" else ["cpu"],
            "hardware_status": {"overheating": overheating, "memory_pressure": pressure, "throttling": throttling},
        },
        "error_frequency": None,
        **more,
    }  # fmt: skip
