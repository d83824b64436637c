"""Metrics of the service itself: readiness, disk, memory, reads and thresholds; what the settings switch off; and the line in
the log that says who sent a report that was refused."""

import asyncio
import threading
import time
from typing import Any

import pytest
from conftest import REPORT, InProcess, eventually
from test_metrics import DT, HARDWARE, labels

from exporter.ingest.readiness import REASONS
from exporter.log import LogError

pytestmark = pytest.mark.dashboard


def reasons(metrics: dict[str, float]) -> list[str]:
    assert all(f"{DT}not_ready" + labels(reason=reason) in metrics for reason in REASONS)
    return [reason for reason in REASONS if metrics[f"{DT}not_ready" + labels(reason=reason)]]


async def test_readiness_has_its_reason(serve: Any) -> None:
    service = await serve(min_free_bytes=2**62)
    metrics = await service.metrics()
    assert (metrics[f"{DT}ready"], reasons(metrics)) == (0, ["disk_nearly_full"])


async def test_a_log_that_fails_makes_it_not_ready_until_a_write_succeeds(
    service: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> int:
        raise LogError("broken")

    with monkeypatch.context() as patch:
        patch.setattr(service.service.log, "append", fail)
        await service.ask("/api/report-error", REPORT, status=503)
    metrics = await service.metrics()
    assert (metrics[f"{DT}ready"], reasons(metrics)) == (0, ["log_fails"])

    async def is_ready() -> bool:  # no report is needed, nor a request for /-/ready
        metrics = await service.metrics()
        return (metrics[f"{DT}ready"], reasons(metrics)) == (1, [])

    await eventually(is_ready)


async def test_the_age_of_the_report_that_waits(service: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    opened, append = threading.Event(), service.service.log.append

    def held(payload: bytes, count: int) -> int:
        opened.wait(10)
        return append(payload, count)

    assert (await service.metrics())[f"{DT}oldest_waiting_report_age_seconds"] == 0
    monkeypatch.setattr(service.service.log, "append", held)
    report = asyncio.create_task(service.post())
    await eventually(lambda: service.service.ingest._appending)
    ages = [(await service.metrics())[f"{DT}oldest_waiting_report_age_seconds"] for _ in range(2)]
    opened.set()
    await report
    assert 0 < ages[0] < ages[1]


async def test_disk_memory_and_thresholds(serve: Any) -> None:
    service = await serve(process=True, max_db_size="1GiB", warning_cpu_percent=70)
    metrics = await service.metrics()
    assert 0 < metrics[f"{DT}disk_free_bytes"] < metrics[f"{DT}disk_size_bytes"]
    assert metrics[f"{DT}database_size_limit_bytes"] == 2**30
    for process in ("http", "store"):
        assert metrics[f"{DT}process_resident_memory_bytes" + labels(process=process)] > 2**20
    thresholds = {name: value for name, value in metrics.items() if name.startswith(f"{DT}threshold{{")}
    assert thresholds[f"{DT}threshold" + labels(threshold="warning_cpu_percent")] == 70
    assert thresholds[f"{DT}threshold" + labels(threshold="critical_cpu_percent")] == 90
    assert len(thresholds) == 11


async def test_reads_are_measured_by_endpoint(service: InProcess) -> None:
    await service.get("/api/errors")
    for id_ in (7, 8):
        await service.get(f"/api/errors/{id_}", status=404)
    metrics = await service.metrics()
    for endpoint, count in (("/api/errors", 1), ("/api/errors/{id}", 2)):
        assert metrics[f"{DT}read_duration_seconds_count" + labels(endpoint=endpoint)] == count


async def test_when_a_worker_was_last_seen(service: InProcess) -> None:
    await service.post({"timestamp": time.time() - 3_600})
    metrics = await service.metrics()
    seen = metrics[f"{DT}worker_last_seen_timestamp_seconds" + labels(worker="worker-1")]
    assert seen > metrics[f"{DT}worker_last_error_timestamp_seconds" + labels(worker="worker-1")]


async def test_hardware_and_times_of_creation_are_switches(serve: Any) -> None:
    openmetrics = {"Accept": "application/openmetrics-text; version=1.0.0"}
    texts = []
    for switches in ({}, {"metrics_hardware": False, "metrics_created": True}):
        service = await serve(**switches)
        await service.post(HARDWARE)
        async with service.client.get("/metrics", headers=openmetrics) as response:
            texts.append(await response.text())
        await service.client.close()
    assert ["_cpu_utilization_ratio{" in text for text in texts] == [True, False]
    assert [f"{DT}worker_status{{" in text for text in texts] == [True, True]
    assert [f"{DT}errors_by_severity_created{{" in text for text in texts] == [False, True]
    assert [f"{DT}ingest_duration_seconds_created" in text for text in texts] == [False, True]


async def test_a_refused_report_is_in_the_log(service: InProcess, caplog: pytest.LogCaptureFixture) -> None:
    await service.ask("/api/report-error", REPORT | {"event_id": {}, "message": "hunter2"}, status=400)
    batch = [REPORT, {"worker_id": "gpu-9", "message": "m", "type": "T", "event_id": []}]
    async with service.client.post("/api/report-errors", json=batch, headers={"Content-Type": "text/xml"}) as response:
        assert response.status == 415
    lines = [one.getMessage() for one in caplog.records if one.name == "exporter.http.refusals"]
    assert lines == [
        'refused what 127.0.0.1 sent: invalid_field, field "event_id", worker "worker-1"',
        'refused what 127.0.0.1 sent: unsupported_type, field "Content-Type"',
    ]
    metrics = await service.metrics()
    assert metrics[f"{DT}reports_rejected_total" + labels(reason="invalid_field")] == 1


async def test_a_refused_report_of_a_batch_is_in_the_log(service: InProcess, caplog: pytest.LogCaptureFixture) -> None:
    await service.ask("/api/report-errors", [REPORT, REPORT | {"worker_id": "gpu-9", "event_id": []}], status=207)
    lines = [one.getMessage() for one in caplog.records if one.name == "exporter.http.refusals"]
    assert lines == ['refused what 127.0.0.1 sent: invalid_field, field "event_id", worker "gpu-9"']
