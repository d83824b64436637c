"""Categories and impossible measurements over HTTP: one spelling, a derived category, and warnings."""

from typing import Any

import pytest
from conftest import InProcess

from exporter.client import error_report

pytestmark = pytest.mark.severity
ABSENT = {"error_category": None}


async def test_every_spelling_of_a_category_is_one(service: InProcess) -> None:
    for spelling in ("network_timeout", "Network_Timeout", " NETWORK_TIMEOUT\t"):
        await service.post({"error_category": spelling})
    await service.post({"error_category": "disk nearly  full"})
    for asked in ("network_timeout", "NETWORK_TIMEOUT", "%20Network_Timeout"):
        found = (await service.get(f"/api/errors/list?category={asked}"))["errors"]
        assert {error["error_category"] for error in found} == {"NETWORK_TIMEOUT"}
        assert len(found) == 3
    overview = await service.get("/api/errors")
    assert overview["error_distribution"]["categories"] == [
        {"category": "NETWORK_TIMEOUT", "count": 3}, {"category": "DISK NEARLY  FULL", "count": 1},
    ]  # fmt: skip
    assert overview["summary"]["network_errors"] == 3
    assert len((await service.get("/api/errors/list?group=network"))["errors"]) == 3


async def test_a_derived_category_counts_everywhere(service: InProcess) -> None:
    answer = await service.post(ABSENT | {"type": "RuntimeError", "message": "CUDA out of memory. Tried to allocate"})
    reason = "category RESOURCE_EXHAUSTED, derived from the message: out of memory on a GPU"
    assert (answer["severity"], answer["reasons"]) == ("critical", [reason])
    details = await service.get(f"/api/errors/{answer['id']}")
    assert details["error_category"] == "RESOURCE_EXHAUSTED"
    assert details["report"]["error_category"] is None
    assert details["groups"] == ["resource"]
    assert details["reason_details"] == [{"text": reason, "measurement": None, "value": None, "limit": None}]
    assert len((await service.get("/api/errors/list?category=RESOURCE_EXHAUSTED"))["errors"]) == 1


async def test_deriving_can_be_turned_off(serve: Any) -> None:
    service = await serve(derive_category=False)
    answer = await service.post(ABSENT | {"message": "CUDA out of memory."})
    assert (answer["severity"], answer["reasons"]) == ("info", ["category UNKNOWN_ERROR, nothing above a threshold"])


async def test_the_report_of_an_exhausted_gpu_is_critical(service: InProcess) -> None:
    class OutOfMemoryError(RuntimeError):
        """As torch has it."""

    try:
        raise OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
    except OutOfMemoryError as error:
        report = error_report(error, worker_id="worker-1", system_context=None, hardware_context=None)
    assert (await service.post(report))["severity"] == "critical"


async def test_an_impossible_measurement_is_named_and_not_used(service: InProcess) -> None:
    measured = {"metrics": {"cpu": {"percent": 4294967295}, "memory": {"used_percent": 85}}}
    answer = await service.post({"error_category": "TEST_X", "system_context": measured})
    warning = "system_context.metrics.cpu.percent: 4294967295 is outside 0 to 100 % and not used"
    assert (answer["severity"], answer["reasons"]) == ("warning", ["memory 85 % > 80 %"])
    assert answer["warnings"] == [warning]
    details = await service.get(f"/api/errors/{answer['id']}")
    assert details["warnings"] == [warning]
    assert details["system_context"] == measured  # as it was sent
    assert [one["value"] for one in details["reason_details"]] == [85]


async def test_averages_leave_out_impossible_measurements(service: InProcess) -> None:
    for percent in (40, 1593, 60):
        await service.post(
            {
                "system_context": {"metrics": {"cpu": {"percent": percent}}},
                "hardware_context": {"hardware_type": "cuda"},
            }
        )
    metrics = (await service.get("/api/errors"))["hardware_errors"]["hardware_status"]["cuda"]["metrics"]
    assert metrics["cpu_percent"] == 50


async def test_the_senders_count_makes_an_error_recurring(service: InProcess) -> None:
    counted = {"recurring": False, "similar_message": {"last_1h": 12, "last_6h": 40, "last_24h": 90}}
    answer = await service.post({"error_category": "TEST_X", "error_frequency": counted})
    assert answer["reasons"] == ["recurring: 12 in an hour, counted by the sender"]
    (listed,) = (await service.get("/api/errors/list?group=recurring"))["errors"]
    assert listed["is_recurring"]
