"""A fleet in the middle of an incident, as somebody finds it who is woken at night."""

import datetime as dt
from typing import Any

from conftest import InProcess

NEWEST = "NCCL watchdog: collective ALLREDUCE timed out after 600000 ms on rank 7"
TRACEBACK = 'Traceback (most recent call last):\n  File "/srv/train.py", line 81, in step\n    dist.all_reduce(loss)\nDistBackendError: timed out'
RUN = {"id": "nightly/812", "job": "nightly", "branch": "main"}


def ago(**of: float) -> str:
    return (dt.datetime.now(dt.UTC) - dt.timedelta(**of)).isoformat()


def error(worker: str, type_: str, category: str, message: str, at: str, **more: Any) -> dict[str, Any]:
    return {"worker_id": worker, "type": type_, "error_category": category, "message": message, "timestamp": at} | more


async def incident(service: InProcess) -> None:
    """Reports the errors of three days of eight workers: a pattern that has been known for long, one that is new, tests that
    fail, and critical errors since a quarter of an hour, most of them on gpu-03."""
    reports = []
    for hours in (70, 50, 30, 9, 4, 2, 0.5):
        for worker in range(1, 9):
            message = f"test_mean: {0.9 + worker / 100:.3f} != 1.0 after {worker} tries"
            at = ago(hours=hours, minutes=worker)
            test = {"id": f"tests/test_allreduce.py::test_mean[{worker % 3}]", "outcome": "failed"}
            reports.append(error(f"gpu-{worker:02}", "AssertionError", "TEST_FAILURE", message, at, test=test, run=RUN))
    for minutes in (400, 200, 190, 20):
        reports.append(
            error("gpu-05", "TimeoutError", "TEST_TIMEOUT", "checkpoint upload stalled", ago(minutes=minutes))
        )
    reports.append(error("gpu-06", "OSError", "DISK_FULL", "No space left on /scratch", ago(hours=3)))
    for number in range(12):
        worker = "gpu-03" if number % 3 else f"gpu-{number % 8 + 1:02}"
        message = f"CUDA out of memory. Tried to allocate {number + 2} GiB"
        reports.append(
            error(
                worker, "OutOfMemoryError", "RESOURCE_EXHAUSTED", message, ago(minutes=15 - number), traceback=TRACEBACK
            )
        )
    reports.append(
        error("gpu-03", "DistBackendError", "RESOURCE_EXHAUSTED", NEWEST, ago(minutes=1), traceback=TRACEBACK)
    )
    reports.append(
        error("gpu-07", "AssertionError", "TEST_FAILURE", "test_io: 2.000 != 1.0 after 1 tries", ago(seconds=20))
    )
    await service.ask("/api/report-errors", reports)
