"""A bad report, or a sender that disconnects, does not affect the other reports of its batch."""

import asyncio
from typing import Any

import pytest
from conftest import REPORT, InProcess

from exporter.ingest import ingest
from exporter.log import LogError

pytestmark = pytest.mark.dashboard


async def total(service: InProcess) -> int:
    return (await service.get("/api/errors"))["summary"]["total_errors"]


async def test_readiness_is_found_out_by_trying(service: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """/-/ready becomes true again without a report."""

    def refuse(*_: Any) -> Any:
        raise LogError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(service.service.log, "append", refuse)
        async with service.client.post("/api/report-error", json=REPORT) as response:
            assert response.status == 503
        assert (await service.get("/-/ready"))["ready"] is True  # only appends fail, so the probe succeeds
        patch.setattr(service.service.log, "probe", refuse)
        assert "disk full" in (await service.get("/-/ready", 503))["message"]
    assert (await service.get("/-/ready"))["ready"] is True


async def test_one_report_that_cannot_be_encoded_takes_no_other_with_it(
    service: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    encode = ingest.encode_batch

    def refuse(events: Any) -> bytes:
        if any(event.message == "poison" for event in events):
            raise ValueError("cannot be encoded")
        return encode(events)

    monkeypatch.setattr(ingest, "encode_batch", refuse)
    items = [REPORT | {"message": message} for message in ("a", "b", "poison", "c", "d")]
    async with service.client.post("/api/report-errors", json=items) as response:
        results = (await response.json())["data"]["results"]
    assert [result["status"] for result in results] == ["success", "success", "error", "success", "success"]
    assert [result["data"]["id"] for result in results if "data" in result] == [1, 2, 3, 4]
    async with service.client.post("/api/report-error", json=items[2]) as response:
        assert response.status == 500
    assert await total(service) == 4


async def test_a_sender_that_goes_away_in_a_batch_leaves_nothing_undone(service: InProcess) -> None:
    items = [REPORT | {"worker_id": f"w{n}", "event_id": f"e{n}"} for n in range(1_000)]
    sending = asyncio.ensure_future(service.client.post("/api/report-errors", json=items))
    await asyncio.sleep(0.02)
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    async with service.client.post("/api/report-errors", json=items) as response:
        assert response.status == 200
    assert await total(service) == 1_000
