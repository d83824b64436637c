"""Reports with odd values, over HTTP: stored, listed, shown, exported, pushed and sent live, and none of them lost."""

import asyncio
import copy
import json
import random
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aiohttp import web
from bounded import bounded
from conftest import REPORT, InProcess, eventually
from stub import listening

pytestmark = pytest.mark.dashboard
DROPPED = "distributed_testing_report_fields_dropped_total"
FULL: dict[str, Any] = {
    "worker_id": "node-3", "type": "ResourceError", "error_category": "RESOURCE_EXHAUSTED", "message": "out of memory",
    "traceback": "Traceback (most recent call last):\n  File \"/app/a.py\", line 3, in f\nValueError: x",
    "event_id": "one", "is_system_critical": False,
    "system_context": {
        "hostname": "h", "platform": "linux", "architecture": "x86_64", "python_version": "3.11", "rack": 7,
        "metrics": {
            "cpu": {"percent": 45.5, "count": 8, "physical_count": 4, "frequency_mhz": 2400.0},
            "memory": {"used_percent": 60.0, "total_gb": 512.0, "available_gb": 200.0},
            "disk": {"used_percent": 40.0, "total_gb": 1000.0, "free_gb": 600.0},
        },
        "gpu_metrics": {"count": 2, "devices": [
            {"index": 0, "name": "A", "memory_utilization": 97.0, "temperature": 65},
            {"index": 1, "name": "B", "memory_utilization": 5.0, "temperature": 60},
        ]},
    },
    "hardware_context": {
        "hardware_type": "cuda", "hardware_types": ["cuda", "cpu"],
        "hardware_status": {"overheating": False, "memory_pressure": True, "throttling": False},
    },
    "error_frequency": {
        "recurring": True, "same_type": {"last_1h": 3, "last_6h": 10, "last_24h": 20},
        "similar_message": {"last_1h": 1, "last_6h": 1, "last_24h": 2},
    },
}  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 7, 8.0, 93.5, 1e300, 2**63, 2**64, 10**25, "", "68", "93.5 %", "N/A", "yes", "high",
    "\u0000", "\x1b[31mred\x1b[0m", "\ud83d", "x" * 5000, [], {}, [[]], [None], ["a", "b\n"], {"a": 1}, {"0": {}},
    [{"index": "0"}, 3], "[[[[" * 100, float("nan"), float("inf"),
)  # fmt: skip
PROTECTED = ("worker_id", "message", "event_id", "timestamp")


class Alertmanager:
    def __init__(self) -> None:
        self.alerts: dict[str, Any] = {}

    async def post(self, request: web.Request) -> web.Response:
        self.alerts |= {alert["labels"]["worker"]: alert for alert in await request.json()}
        return web.json_response({})


@pytest.fixture
async def alertmanager() -> AsyncIterator[tuple[Alertmanager, str]]:
    fake = Alertmanager()
    async with listening(fake.post, "/api/v2/alerts", "POST") as url:
        yield fake, url


async def post(service: InProcess, sent: Any, path: str = "/api/report-error") -> tuple[int, Any]:
    headers = {"Content-Type": "application/json"}
    async with service.client.post(path, data=sent if isinstance(sent, bytes) else json.dumps(sent).encode(),
                                   headers=headers) as response:  # fmt: skip
        return response.status, await response.json()


# What is sent instead of a value of REPORT, then what the error shows of it, and the fields that are named as dropped.
ODD: list[tuple[str, dict[str, Any], dict[str, Any], list[str]]] = [
    ("traceback as a list of lines", {"traceback": ["a\n", "b\n"]}, {"traceback": "a\nb\n"}, []),
    ("traceback as an object", {"traceback": {"frames": [1]}}, {"traceback": '{"frames": [1]}'}, []),
    ("message as an object", {"message": {"code": 5}}, {"message": '{"code": 5}'}, []),
    ("message as a number", {"message": 404}, {"message": "404"}, []),
    ("type as a list", {"type": ["T"]}, {"type": "UnknownError"}, ["type"]),
    ("a numeric worker", {"worker_id": 17}, {"worker_id": "17"}, []),
    ("a numeric id", {"event_id": 17}, {"event_id": "17"}, []),
    ("context as text", {"system_context": "linux"}, {"system_context": None}, ["system_context"]),
    ("contexts of PHP", {"system_context": [], "error_frequency": []}, {"system_context": None}, []),
    (
        "numbers as text",
        {"system_context": {"rack": 7, "metrics": {"cpu": {"percent": "95 %", "count": "N/A"}, "disk": "full"}}},
        {"system_context": {"rack": 7, "metrics": {"cpu": {"percent": 95, "count": None}, "disk": None}}},
        ["system_context.metrics.disk"],
    ),
    (
        "devices with null and text",
        {"system_context": {"gpu_metrics": {"devices": [None, {"index": "14", "temperature": "hot"}]}}},
        {"system_context": {"gpu_metrics": {"devices": [{}, {"index": 14, "temperature": None}]}}},
        ["system_context.gpu_metrics.devices[].temperature"],
    ),
    (
        "flags as numbers and words",
        {"hardware_context": {"hardware_status": {"overheating": 1, "throttling": "Not Active"}}},
        {"hardware_context": {"hardware_status": {"overheating": True, "throttling": False}}},
        [],
    ),
    ("hardware as a number", {"hardware_context": 5}, {"hardware_context": None}, ["hardware_context"]),
    ("a flag that is none", {"is_system_critical": "maybe"}, {"is_system_critical": False}, ["is_system_critical"]),
    ("colours", {"type": "\x1b[36mOSError", "message": "\x1b[31mred\x1b[0m", "traceback": "\x1b[1mbold\x1b[0m"},
     {"type": "OSError", "message": "red", "traceback": "bold"}, []),
]  # fmt: skip


@pytest.mark.parametrize(("sent", "shown", "dropped"), [one[1:] for one in ODD], ids=[one[0] for one in ODD])
async def test_an_odd_report_is_stored_shown_and_told(
    serve: Callable[..., Any], alertmanager: Any, sent: dict[str, Any], shown: dict[str, Any], dropped: list[str]
) -> None:
    fake, url = alertmanager
    service = await serve(alertmanager_url=(url,))
    socket = await service.client.ws_connect("/ws/error-visualization")
    await socket.send_json({"type": "error_visualization_init", "time_range": 24})
    await socket.receive_json(timeout=15)
    status, answer = await post(service, REPORT | sent)
    assert status == 200, answer
    data = answer["data"]
    assert [warning.partition(": expected ")[0] for warning in data["warnings"]] == [
        field.replace("[]", "[1]") for field in dropped
    ]
    details = await service.get(f"/api/errors/{data['id']}")
    assert {name: details[name] for name in shown} == shown
    assert details["report"] == REPORT | sent  # as it was sent
    (listed,) = (await service.get("/api/errors/list"))["errors"]
    assert listed == {
        name: value for name, value in details.items() if name not in ("report", "reason_details", "pinned")
    }
    assert listed["warnings"] == data["warnings"]
    assert (await socket.receive_json(timeout=15))["data"]["error"] == listed
    assert (await service.get("/api/errors"))["recent_errors"] == [listed]
    metrics = await service.metrics()
    assert {name: value for name, value in metrics.items() if name.startswith(DROPPED) and value} == {
        f'{DROPPED}{{field="{field}"}}': 1.0 for field in dropped
    }
    worker = shown.get("worker_id", REPORT["worker_id"])
    alert = await eventually(lambda: fake.alerts.get(worker))
    assert alert["annotations"]["message"] == shown.get("message", REPORT["message"])
    assert alert["annotations"].get("traceback") == shown.get("traceback")


async def test_gauges_are_made_of_what_could_be_read(service: InProcess) -> None:
    devices = {"0": {"temperature": "68 C", "memory_utilization": "N/A"}, "3": {"temperature": "hot"}}
    await service.post({"system_context": {"metrics": {"cpu": {"percent": "50 %"}, "memory": 3},
                                           "gpu_metrics": {"count": "x", "devices": devices}},
                        "hardware_context": {"hardware_status": {"throttling": "on"}}})  # fmt: skip
    metrics = await service.metrics()
    assert metrics['distributed_testing_worker_cpu_utilization_ratio{worker="worker-1"}'] == 0.5
    assert metrics['distributed_testing_worker_gpu_temperature_celsius{gpu="0",worker="worker-1"}'] == 68
    assert metrics['distributed_testing_worker_hardware_condition{condition="throttling",worker="worker-1"}'] == 1
    assert not [name for name in metrics if "worker_memory" in name or "gpu_memory" in name]


async def test_an_odd_item_of_a_batch_is_stored_with_its_warnings(service: InProcess) -> None:
    odd = {"worker_id": "x", "message": "m", "system_context": {"metrics": {"cpu": {"percent": "high"}}}}
    status, answer = await post(service, [REPORT, odd, REPORT], "/api/report-errors")
    assert (status, answer["data"]["stored"]) == (200, 3)
    assert [one["data"]["warnings"] for one in answer["data"]["results"]] == [
        [], ["system_context.metrics.cpu.percent: expected a number, got a string: dropped"], [],
    ]  # fmt: skip
    status, answer = await post(service, [REPORT, {"worker_id": [], "message": "m"}], "/api/report-errors")
    assert (status, answer["data"]["results"][1]["field"]) == (207, "worker_id")
    assert "send the name of the worker" in answer["data"]["results"][1]["message"]


async def test_files_from_windows_are_read(service: InProcess) -> None:
    bom, report = b"\xef\xbb\xbf", json.dumps(REPORT).encode()
    assert (await post(service, bom + report))[0] == 200
    lines = bom + report + b"\r\n" + report + b"\r\n\r\n"
    async with service.client.post("/api/report-errors", data=lines,
                                   headers={"Content-Type": "application/x-ndjson"}) as response:  # fmt: skip
        assert (response.status, (await response.json())["data"]["stored"]) == (200, 2)
    assert (await post(service, bom + b"[" + report + b"]", "/api/report-errors"))[1]["data"]["stored"] == 1


async def test_a_number_out_of_range_is_named_and_its_report_kept_as_sent(service: InProcess) -> None:
    sent = json.dumps(REPORT)[:-1] + ', "system_context": {"metrics": {"cpu": {"percent": 1e999, "count": 8.0}}}}'
    status, answer = await post(service, sent.encode())
    assert status == 200
    assert answer["data"]["warnings"] == [
        "system_context.metrics.cpu.percent: expected a number, got a number out of range: dropped"
    ]
    details = await service.get(f"/api/errors/{answer['data']['id']}")
    assert details["system_context"]["metrics"]["cpu"] == {"percent": None, "count": 8}


async def test_a_repeat_of_an_odd_report_is_answered_alike(service: InProcess) -> None:
    odd = REPORT | {"event_id": 7, "hardware_context": "cuda"}
    assert await post(service, odd) == await post(service, odd) == await post(service, odd | {"event_id": "7"})
    metrics = await service.metrics()
    assert metrics[f'{DROPPED}{{field="hardware_context"}}'] == 1


async def test_colours_make_no_second_pattern_and_the_report_keeps_them(service: InProcess) -> None:
    plain = await service.post({"message": "assert 1 == 2"})
    red = await service.post({"message": "\x1b[31massert\x1b[0m 1 == 2"})
    assert red["fingerprint"] == plain["fingerprint"]
    details = await service.get(f"/api/errors/{red['id']}")
    assert (details["message"], details["report"]["message"]) == ("assert 1 == 2", "\x1b[31massert\x1b[0m 1 == 2")
    traceback = (
        'Traceback (most recent call last):\n  File "{0}/app/a.py{1}", line 3, in {0}f{1}\nE: x'  # as of Python 3.13
    )
    frames = [
        await service.post({"traceback": traceback.format(*codes)}) for codes in (("", ""), ("\x1b[35m", "\x1b[0m"))
    ]
    assert frames[0]["fingerprint"] == frames[1]["fingerprint"] != plain["fingerprint"]
    nul = "read \x00 past\x00end"
    assert (await service.get(f"/api/errors/{(await service.post({'message': nul}))['id']}"))["message"] == nul


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Returns all places of values in `value`: each a container and its key or index."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, item in items for place in [(value, key), *_places(item)]]


def _mutated(number: int, random_: random.Random) -> dict[str, Any]:
    report = copy.deepcopy(FULL) | {"worker_id": f"w{number % 50}", "event_id": f"e{number}"}
    for _ in range(random_.choice((1, 1, 2, 5))):
        places = [place for place in _places(report) if place[0] is not report or place[1] not in PROTECTED]
        container, key = random_.choice(places)
        if random_.random() < 0.1 and isinstance(container, dict):
            del container[key]
        elif random_.random() < 0.2:
            container[key] = copy.deepcopy(random_.choice(_places(FULL))[0])
        else:
            container[key] = copy.deepcopy(random_.choice(VALUES))
    return report


async def test_no_mutation_of_a_side_field_loses_a_report(serve: Callable[..., Any]) -> None:
    """Many reports with values swapped at random places, a few of them sent alone, the others in batches."""
    service, random_ = await serve(max_worker_labels=100), random.Random(10)
    reports = [_mutated(number, random_) for number in range(bounded(2_000))]
    for start in range(0, len(reports), 100):
        alone, together = reports[start : start + 5], reports[start + 5 : start + 100]
        answers = [await post(service, report) for report in alone]
        assert [status for status, _ in answers] == [200] * len(alone), answers
        status, answer = await post(service, together, "/api/report-errors")
        refused = [one for one in answer["data"]["results"] if one["status"] != "success"]
        assert (status, refused) == (200, [])
    listed: list[dict[str, Any]] = []
    cursor = ""
    while cursor is not None:
        page = await service.get("/api/errors/list", limit=500, cursor=cursor)
        listed += page["errors"]
        cursor = page["next_cursor"]
    assert {error["event_id"] for error in listed} == {report["event_id"] for report in reports}
    for error in listed[::10]:
        details = await service.get(f"/api/errors/{error['id']}")
        assert details["warnings"] == error["warnings"]
    overview = await service.get("/api/errors")
    assert overview["summary"]["total_errors"] == len(reports)
    metrics = await service.metrics()
    assert sum(value for name, value in metrics.items() if name.startswith(DROPPED)) > len(reports) / 4
    await asyncio.sleep(0)
    assert not any(follower.skipped or follower.restarts for follower in service.service.readers.followers)
