"""Each number of a worker on /metrics is that of the API: of a thousand workers with eight GPUs, with twice as many
combinations of worker and type as there may be series, and after a restart."""

import datetime as dt
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
from conftest import InProcess, samples
from prometheus_client.parser import text_string_to_metric_families
from test_metrics import DT, labels

pytestmark = pytest.mark.dashboard
WORKERS, TYPES, GPUS = 1_000, 20, 8
PAGE = 1_000  # errors of the list
LOOKED_AT = 50  # workers, whose newest error is read
STATUS = ("stable", "warning", "critical")


def report(worker: int, number: int) -> dict[str, Any]:
    """Returns a report of a worker, whose GPUs get hotter with `number`. Each third worker has a critical one at last."""
    devices = [{"index": gpu, "temperature": 40 + number + gpu} for gpu in range(GPUS)]
    is_critical = worker % 3 == 0 and number == TYPES
    return {
        "worker_id": f"w{worker}", "type": f"T{number % TYPES}", "message": "m", "error_category": "C",
        "is_system_critical": is_critical, "system_context": {"gpu_metrics": {"devices": devices}},
    }  # fmt: skip


async def compare(service: InProcess, *, hardware: bool = True) -> None:
    stats = {one["worker_id"]: one for one in (await service.get("/api/errors"))["worker_errors"]["worker_stats"]}
    async with service.client.get("/metrics") as response:
        text = await response.text()
    metrics, errors, own = samples(text), Counter[str](), Counter[tuple[str, str]]()
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == f"{DT}errors_total":
                errors[sample.labels["worker"]] += int(sample.value)
                if sample.labels["type"] != "other":
                    own[sample.labels["worker"], sample.labels["type"]] += int(sample.value)
            assert sample.labels.get("worker") != "other" or sample.name == f"{DT}errors_total"
    assert len(stats) == WORKERS
    for name, one in stats.items():
        assert STATUS[int(metrics[f"{DT}worker_status" + labels(worker=name)])] == one["status"]
        last = dt.datetime.fromisoformat(one["last_error_time"]).timestamp()
        assert metrics[f"{DT}worker_last_error_timestamp_seconds" + labels(worker=name)] == pytest.approx(
            last, abs=0.001
        )
    if hardware:
        assert errors == {name: one["error_count"] for name, one in stats.items()}
    assert len(own) > WORKERS * TYPES / 3
    newest = [error async for error in every(service)]
    assert len(newest) == WORKERS * (TYPES + 1)
    by_key = Counter((error["worker_id"], error["type"]) for error in newest)
    assert {key: by_key[key] for key in own} == dict(own)
    for error in newest[: WORKERS : WORKERS // LOOKED_AT] if hardware else ():
        context = (await service.get(f"/api/errors/{error['id']}"))["system_context"]
        for device in context["gpu_metrics"]["devices"]:
            of = labels(gpu=str(device["index"]), worker=error["worker_id"])
            assert metrics[f"{DT}worker_gpu_temperature_celsius{of}"] == device["temperature"]


async def every(service: InProcess) -> AsyncIterator[dict[str, Any]]:
    """Yields all errors of the list, the newest first."""
    cursor: dict[str, str] = {}
    for _ in range(WORKERS * (TYPES + 1) // PAGE + 1):
        page = await service.get("/api/errors/list", limit=PAGE, **cursor)
        for error in page["errors"]:
            yield error
        if not (after := page["next_cursor"]):
            return
        cursor = {"cursor": after}


async def test_with_half_as_many_series_as_combinations(serve: Any) -> None:
    settings = {"max_series": WORKERS * TYPES // 2, "longest_scrape_interval": 0}
    service = await serve(**settings)
    for number in range(TYPES + 1):
        await service.ask("/api/report-errors", [report(worker, number) for worker in range(WORKERS)])
    await compare(service)
    await service.client.close()
    service = await serve(**settings)
    await compare(service, hardware=False)
