"""The verdict of a running service: over HTTP, over the WebSocket, and after a restart."""

import asyncio
import datetime as dt
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from conftest import InProcess, eventually

from exporter import service as service_module
from exporter.judgement import judge as judge_module
from exporter.judgement.result import Verdict
from exporter.judgement.situation import Situation
from exporter.judgement.verdict import verdict
from exporter.live.presence import presence_file
from exporter.log import LogError

pytestmark = pytest.mark.dashboard
NCCL = {"type": "NCCLError", "error_category": "HARDWARE_NOT_AVAILABLE", "message": "NCCL timeout of rank 3"}
INFO = {"severity": "info", "type": "Note", "error_category": "OTHER", "message": "all is well"}
SUBSCRIBE = {"type": "subscribe", "topic": "verdict"}
UNSUBSCRIBE = {"type": "unsubscribe", "topic": "verdict"}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(judge_module, "TICK_SECONDS", 0.02)
    yield


async def judged(service: InProcess) -> dict[str, Any]:
    """Returns the verdict, which must have the declared fields."""
    found = await service.get("/api/verdict")
    msgspec.convert(found, Verdict)
    assert set(found) == set(Verdict.__struct_fields__)
    return found


async def of_topic(socket: Any) -> dict[str, Any]:
    """Returns the data of the next message about the verdict."""
    message = await socket.receive_json(timeout=15)
    assert message["type"] == "verdict"
    assert set(message) == {"type", "data"}
    return message["data"]


def ago(**gone: float) -> str:
    return (dt.datetime.now(dt.UTC) - dt.timedelta(**gone)).isoformat()


async def test_the_verdict_follows_the_reports_and_survives_a_restart(serve: Any) -> None:
    service = await serve()
    found = await judged(service)
    assert (found["colour"], found["rule"], found["seq"]) == ("unknown", "empty", 0)
    await service.post(INFO)
    assert (await judged(service))["colour"] == "calm"
    old = {"timestamp": "2025-03-15T10:00:00Z"}
    await service.post(NCCL | old, params={"import": "true"})
    found = await judged(service)
    assert (found["colour"], found["late"]["reports"], found["seq"]) == ("calm", 1, 2)
    assert found["sentence"].endswith("1 error came in that happened on 15 March 2025.")
    for worker in ("worker-3", "worker-3", "worker-4"):
        last = await service.post(NCCL | {"worker_id": worker})
    found = await judged(service)
    assert (found["colour"], found["rule"], found["seq"]) == ("critical", "critical", 5)
    assert "3 critical errors on worker-3 and worker-4, all " in found["sentence"]
    concerned = found["concerned"]
    assert (concerned["errors"], concerned["workers"], concerned["worker"]["name"]) == (3, 2, "worker-3")
    assert concerned["pattern"]["pattern_id"] == last["pattern_id"]
    assert found["checked_at"] == found["as_of"]
    assert found["next_change_at"] > found["checked_at"]
    for look in found["look_first"]:
        if look["api"].startswith("/api/"):
            await service.get(look["api"])
    await service.client.close()

    service = await serve()
    again = await judged(service)
    # `compared` needs what is usual, which is asked for in the background.
    changing = ("checked_at", "as_of", "next_change_at", "last_critical_seconds", "sentence", "pieces", "compared")
    assert {name: value for name, value in again.items() if name not in changing} == {
        name: value for name, value in found.items() if name not in changing
    }
    assert again["sentence"].partition(";")[0] == found["sentence"].partition(";")[0]
    await service.post(NCCL)
    assert (await judged(service))["concerned"]["errors"] == 4
    await service.ask("/api/reset-counts")
    found = await judged(service)
    assert (found["colour"], found["rule"]) == ("calm", "calm")
    assert "the counts were reset at" in found["sentence"]
    await service.client.close()

    service = await serve()
    assert (await judged(service))["colour"] == "calm"
    assert (await service.get("/api/verdict", 400, x="y"))["field"] == "x"


async def test_what_was_deleted_is_in_no_verdict(service: InProcess) -> None:
    await service.post(NCCL | {"message": "secret-4711"})
    kept = await service.post({"type": "OtherError", "worker_id": "worker-9"})
    assert (await judged(service))["concerned"]["errors"] == 2
    await service.ask("/api/errors/delete", {"type": ["NCCLError"], "dry_run": False})
    found = await judged(service)
    assert (found["concerned"]["errors"], found["concerned"]["pattern"]["first_error_id"]) == (1, kept["id"])
    assert "secret" not in str(found)
    await service.post({"worker_id": "worker-8"})
    assert (await judged(service))["concerned"]["errors"] == 2


async def test_a_crashed_worker_stays_in_the_verdict(service: InProcess) -> None:
    await service.post(NCCL | {"worker_id": "worker-3", "timestamp": ago(minutes=12)})
    found = await judged(service)
    assert (found["colour"], found["rule"], found["silent_workers"]) == ("warning", "recovering", 1)
    assert "worker-3 silent since" in found["sentence"]
    assert found["silent"][0]["worker_id"] == "worker-3"
    await service.post(INFO | {"worker_id": "worker-3"})
    assert (await judged(service))["silent_workers"] == 0


async def test_subscribers_get_changes_and_others_see_nothing_new(service: InProcess, monkeypatch: Any) -> None:
    monkeypatch.setattr(judge_module, "REPEAT_SECONDS", 1e9)
    other = await service.client.ws_connect("/ws/error-visualization")
    for message in (
        {"type": "error_visualization_init", "time_range": 24},
        {"type": "subscribe", "topic": "error_visualization"},
    ):
        await other.send_json(message)
        await other.receive_json(timeout=15)
    socket = await service.client.ws_connect("/ws/error-visualization")
    await socket.send_json(SUBSCRIBE)
    assert await socket.receive_json(timeout=15) == {"type": "subscription_confirmed", "topic": "verdict"}
    assert (await of_topic(socket))["rule"] == "empty"
    await service.post(INFO)
    assert (await of_topic(socket))["colour"] == "calm"
    await service.post(NCCL)
    found = await of_topic(socket)
    assert (found["colour"], found["seq"]) == ("critical", 2)
    assert set(found) == set(Verdict.__struct_fields__)
    assert [(await other.receive_json(timeout=15))["type"] for _ in range(2)] == ["error_visualization_update"] * 2
    await other.send_json({"type": "ping"})
    assert await other.receive_json(timeout=15) == {"type": "pong"}
    await socket.send_json(UNSUBSCRIBE)
    assert await socket.receive_json(timeout=15) == {"type": "unsubscription_confirmed", "topic": "verdict"}
    await service.post(NCCL)
    await asyncio.sleep(0.1)
    await socket.send_json({"type": "ping"})
    assert await socket.receive_json(timeout=15) == {"type": "pong"}


async def test_a_verdict_is_repeated_so_that_a_page_may_show_green(service: InProcess, monkeypatch: Any) -> None:
    monkeypatch.setattr(judge_module, "REPEAT_SECONDS", 0.1)
    await service.post(INFO)
    socket = await service.client.ws_connect("/ws/error-visualization")
    await socket.send_json(SUBSCRIBE)
    assert (await socket.receive_json(timeout=15))["type"] == "subscription_confirmed"
    found = [await of_topic(socket) for _ in range(4)]
    assert {one["colour"] for one in found} == {"calm"}
    checked = [one["checked_at"] for one in found]
    assert checked == sorted(checked)
    assert len(set(checked)) >= 3  # the first may come twice: to who subscribes, and as news


async def test_one_that_does_not_read_keeps_one_verdict_waiting(service: InProcess) -> None:
    """The latest takes the place of one that was not sent yet."""
    socket = await service.client.ws_connect("/ws/error-visualization")
    await socket.send_json(SUBSCRIBE)
    await of_topic(socket) if (await socket.receive_json(timeout=15))["type"] == "verdict" else None
    (client,) = service.service.live.clients
    client.resuming = True  # nothing is sent
    for number in range(5_000):
        service.service.live.publish("verdict", b"%d" % number)
    assert len(client.queue) <= 1
    assert service.service.live.clients == {client}


async def test_a_verdict_that_lags_behind_has_no_colour(service: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_module, "BEHIND_VERDICT_SECONDS", 0.0)
    await service.post(INFO)

    def fails(_: Any) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(service.service.judge, "on_events", fails)
    await service.post(NCCL)
    found = await judged(service)
    assert (found["colour"], found["severity"], found["behind"], found["seq"]) == ("unknown", "calm", 1, 1)
    assert found["as_of"] < found["checked_at"]
    assert " (1 report behind), calm: " in found["sentence"]

    async def is_critical() -> Any:
        return (await judged(service))["colour"] == "critical"

    await eventually(is_critical)  # the reader has skipped the event, so it was read from the database
    assert (await judged(service))["seq"] == 2


async def test_a_verdict_without_a_log_has_no_colour(service: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    await service.post(INFO)
    readiness = service.service.readiness

    def fails() -> None:
        raise LogError("no space left on /var/lib/secret")

    monkeypatch.setattr(service.service.log, "probe", fails)
    readiness.wrote(LogError("no space left on /var/lib/secret"))
    found = await judged(service)
    assert (found["colour"], found["severity"]) == ("unknown", "calm")
    assert found["sentence"].startswith("Reports are refused since ")
    assert "(the log cannot be written); before that, calm: " in found["sentence"]
    assert "/var" not in str(found)
    monkeypatch.undo()

    async def is_calm() -> Any:
        return (await judged(service))["colour"] == "calm"

    await eventually(is_calm)


async def test_it_is_answered_from_memory(service: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also while the database cannot answer."""
    await service.post(NCCL)

    async def fails(*_: Any, **__: Any) -> Any:
        raise AssertionError("the database was asked")

    made: list[Situation] = []

    def counted(situation: Situation) -> Verdict:
        made.append(situation)
        return verdict(situation)

    monkeypatch.setattr(service.service.store, "read", fails)
    monkeypatch.setattr(judge_module, "verdict", counted)
    for _ in range(100):
        service.service.judge.encoded()
    assert len(made) <= 2  # until something changes, which time alone may do once
    assert (await judged(service))["colour"] == "critical"


async def test_a_night_without_the_service_is_no_calm(serve: Any, tmp_path: Path) -> None:
    """Nobody knows yet what happened in that night."""
    service = await serve()
    await service.post(INFO)
    await service.client.close()
    file = presence_file(tmp_path / "errors.duckdb")
    (began, _) = msgspec.json.decode(file.read_bytes())[0]
    night = 8 * 3_600
    file.write_bytes(msgspec.json.encode([[began - 2 * night, began - night]]))
    os.utime(file, (began - night, began - night))
    service = await serve()
    found = await judged(service)
    assert (found["colour"], found["rule"]) == ("unknown", "away")
    assert found["sentence"].startswith("Not known yet: the service did not run from ")
    state = await service.get("/api/service")
    assert len(state["ran"]) == 2
    assert state["started_at"] == state["ran"][0]["from"]
    assert dt.datetime.fromisoformat(state["ran"][1]["to"]).timestamp() == pytest.approx(began - night, abs=0.01)
    await service.client.close()
    service = await serve()
    assert (await judged(service))["colour"] == "calm"  # a short restart
