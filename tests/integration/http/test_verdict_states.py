"""A change of a state changes the verdict at once, and after a restart the verdict says the same."""

from typing import Any

import pytest
from conftest import InProcess, eventually

from exporter.judgement import judge as judge_module

pytestmark = pytest.mark.dashboard
OOM = {"type": "OutOfMemoryError", "message": "CUDA out of memory", "severity": "critical", "worker_id": "worker-17"}
DISK = {"type": "DiskError", "message": "read failed", "severity": "critical", "worker_id": "worker-3"}
ANA = {"by": "Ana"}


async def verdict(service: InProcess) -> dict[str, Any]:
    found: dict[str, Any] = await service.get("/api/verdict")
    return found


async def test_states_change_the_verdict_at_once_and_for_good(serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judge_module, "SETTLE_SECONDS", 20.0)  # on a machine that tests keep busy
    service = await serve()
    oom, disk = [(await service.post(one))["pattern_id"] for one in (OOM, DISK)]

    await service.ask(f"/api/patterns/{oom}/claim", ANA)
    assert '"CUDA out of memory" (claimed by Ana), first on worker-17' in (await verdict(service))["sentence"]

    await service.ask(f"/api/patterns/{oom}/mute", ANA | {"errors": 9})
    found = await verdict(service)
    assert "1 critical error on worker-3" in found["sentence"]
    assert found["sentence"].endswith("; 1 error of a muted pattern is not counted.")
    await service.ask("/api/workers/worker-3/drain", ANA)
    found = await verdict(service)
    assert (found["colour"], found["concerned"]) == ("calm", None)
    assert found["sentence"].endswith("1 error on worker-3, which is drained, is not counted.")
    await service.post(OOM)
    await service.post(DISK)
    left_out = {"muted_errors": 2, "muted_patterns": 1, "drained_errors": 2, "drained_workers": 1}
    assert (await verdict(service))["not_counted"] == left_out
    await service.client.close()

    service = await serve()
    found = await verdict(service)
    assert (found["colour"], found["not_counted"]) == ("calm", left_out)
    await service.ask("/api/workers/worker-3/undrain", ANA)
    await service.ask(f"/api/patterns/{oom}/reopen", ANA)
    found = await verdict(service)
    assert (found["colour"], found["concerned"]["errors"], found["not_counted"]) == ("critical", 4, None)

    for pattern in (oom, disk):
        await service.ask(f"/api/patterns/{pattern}/resolve", ANA)
    assert (await verdict(service))["colour"] == "calm"
    await service.post(OOM)  # without a pause: the verdict does not wait for the database
    found = await verdict(service)
    assert (found["colour"], found["concerned"]["errors"]) == ("critical", 1)
    assert '"CUDA out of memory", which came back after Ana resolved it at ' in found["sentence"]

    async def is_regressed() -> bool:
        return (await service.get(f"/api/patterns/{oom}/state"))["state"]["status"] == "regressed"

    await eventually(is_regressed)
    assert (await verdict(service))["concerned"] == found["concerned"]
    await service.client.close()

    service = await serve()
    again = await verdict(service)
    assert again["concerned"] == found["concerned"]
    assert "which came back after Ana resolved it at " in again["sentence"]
    await service.ask(f"/api/patterns/{oom}/claim", {"by": "Bo"})
    found = await verdict(service)
    assert (found["concerned"]["errors"], found["concerned"]["pattern"]["claimed_by"]) == (1, "Bo")
