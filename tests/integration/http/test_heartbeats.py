"""POST /api/heartbeat and GET /api/heartbeats."""

import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import InProcess
from keys import bearer, make_token

pytestmark = pytest.mark.dashboard
BEAT = {"worker_id": "node-1", "interval": 15, "gpus": [{"index": 0, "temperature": 61}]}


async def send(service: InProcess, body: Any = None, status: int = 200, **more: Any) -> Any:
    return await service.ask("/api/heartbeat", BEAT | (body or {}), status, **more)


async def test_a_heartbeat_is_shown(service: InProcess) -> None:
    assert await send(service) == {"worker_id": "node-1", "silent_after": 60.0}
    found = await service.get("/api/heartbeats")
    assert (found["heard"], found["silent"], found["stopped"], found["forgotten"]) == (1, 0, 0, 0)
    (machine,) = found["machines"]
    assert machine["heartbeat"] == BEAT
    assert (machine["status"], machine["silent_after"]) == ("heard", 60.0)
    assert 0 <= machine["age_seconds"] < 10
    assert (await service.get("/api/heartbeats", worker="other"))["machines"] == []


async def test_silence_is_shown_and_measured(serve: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    service = await serve(silent_after=5)
    await send(service, {"interval": None})
    now = service.service.machines.listed(0).machines[0].last_seen.timestamp()
    monkeypatch.setattr("exporter.http.heartbeats.time.time", lambda: now + 6)
    assert (await service.get("/api/heartbeats"))["machines"][0]["status"] == "silent"
    metrics = await service.metrics()
    assert metrics['distributed_testing_machines{status="silent"}'] == 1.0
    assert metrics["distributed_testing_heartbeats_received_total"] == 1.0


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        (b"{}", 400, "worker_id"), (b'{"worker_id": ""}', 400, "worker_id"), (b'{"worker_id": 7}', 400, "worker_id"),
        (b"[]", 400, ""), (b"{", 400, ""), (b'{"worker_id": "a", "x": \xff}', 400, ""), (b'{"worker_id": "a", "x": "\xff"}', 400, ""),
        (b'{"worker_id": "a", "interval": -1}', 400, "interval"), (json.dumps({"worker_id": "a" * 257}).encode(), 400, "worker_id"),
        (json.dumps({"worker_id": "a", "x": "y" * 70_000}).encode(), 413, ""), (b'{"worker_id": "a", "x": ' + b"[" * 9_000 + b"]" * 9_000 + b"}", 400, ""),
    ],
)  # fmt: skip
async def test_bad_heartbeats(service: InProcess, body: bytes, status: int, field: str) -> None:
    async with service.client.post(
        "/api/heartbeat", data=body, headers={"Content-Type": "application/json"}
    ) as response:
        answer = await response.json()
        assert (response.status, answer["field"]) == (status, field), answer
    assert (await service.get("/api/heartbeats"))["machines"] == []


async def test_secrets_are_replaced(service: InProcess) -> None:
    await send(service, {"problems": ["cannot log in: password=hunter2hunter2"]})
    assert "hunter2" not in json.dumps(await service.get("/api/heartbeats"))


async def test_too_many_heartbeats_of_one_machine(service: InProcess) -> None:
    for _ in range(10):
        await send(service)
    assert "heartbeats a second" in (await send(service, status=429))["message"]
    await send(service, {"worker_id": "node-2"})


async def test_a_token_for_some_workers_speaks_for_them_only(serve: Callable[..., Any], tmp_path: Path) -> None:
    token = make_token(tmp_path, "agents", "report", worker="node-")
    service = await serve()
    await send(service, headers=bearer(token))
    answer = await send(service, {"worker_id": "other"}, 403, headers=bearer(token))
    assert answer["field"] == "worker_id"


async def test_a_restart_hides_no_silent_machine(serve: Callable[..., Any], tmp_path: Path) -> None:
    first = await serve()
    await send(first)
    await first.client.close()
    assert (tmp_path / "errors.duckdb.machines").exists()
    second = await serve()
    (machine,) = (await second.get("/api/heartbeats"))["machines"]
    assert (machine["worker_id"], machine["status"], machine["heartbeat"]) == ("node-1", "heard", None)


async def test_what_a_machine_without_errors_says_is_measured(service: InProcess) -> None:
    gpu = {"index": 0, "temperature": 61, "utilization": 97, "power_watts": 402.5, "clock_mhz": 1980}
    await send(service, {"system_context": {"metrics": {"cpu": {"percent": 50}}, "gpu_metrics": {"devices": [gpu]}}})
    metrics = await service.metrics()
    of = "distributed_testing_worker"
    assert metrics[f'{of}_cpu_utilization_ratio{{worker="node-1"}}'] == 0.5
    found = {
        name: metrics[f'{of}_gpu_{name}{{gpu="0",worker="node-1"}}']
        for name in ("temperature_celsius", "utilization_ratio", "power_watts", "clock_hertz")
    }
    assert found == {
        "temperature_celsius": 61, "utilization_ratio": 0.97, "power_watts": 402.5, "clock_hertz": 1.98e9
    }  # fmt: skip
    seen = (await service.get("/api/heartbeats"))["machines"][0]["last_seen"]
    shown = metrics[f'{of}_last_seen_timestamp_seconds{{worker="node-1"}}']
    assert shown == pytest.approx(dt.datetime.fromisoformat(seen).timestamp(), abs=1)
    assert f'{of}_status{{worker="node-1"}}' not in metrics
