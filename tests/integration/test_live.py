"""Live updates over the WebSocket."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from conftest import REPORT, InProcess, eventually
from events import event

from exporter.http import pages
from exporter.live import client as client_module
from exporter.live import hub as live_module
from exporter.live.client import MAX_QUEUE, Client, Update
from exporter.live.hub import Live

pytestmark = pytest.mark.websocket
INIT = {"type": "error_visualization_init", "time_range": 24}
SUBSCRIBE = {"type": "subscribe", "topic": "error_visualization"}


async def connect(service: InProcess, *messages: dict[str, Any]) -> aiohttp.ClientWebSocketResponse:
    """Returns a client that has sent `messages` and read the answers."""
    socket = await service.client.ws_connect("/ws/error-visualization")
    for message in messages:
        await socket.send_json(message)
        await socket.receive_json(timeout=15)
    return socket


async def ask(socket: aiohttp.ClientWebSocketResponse, message: Any) -> dict[str, Any]:
    await socket.send_json(message)
    return await socket.receive_json(timeout=15)


async def heard(socket: aiohttp.ClientWebSocketResponse, count: int) -> list[dict[str, Any]]:
    updates = [await socket.receive_json(timeout=15) for _ in range(count)]
    assert {update["type"] for update in updates} <= {"error_visualization_update"}
    return updates


async def test_a_client_that_sends_both_messages_hears_each_error_once(service: InProcess) -> None:
    socket = await connect(service, INIT, SUBSCRIBE)
    for number in range(20):
        await service.post({"worker_id": f"w{number}"})
    updates = await heard(socket, 20)
    assert [u["data"]["error"]["worker_id"] for u in updates] == [f"w{n}" for n in range(20)]
    assert [u["seq"] for u in updates] == list(range(1, 21))
    assert {u["data"]["time_range"] for u in updates} == {24}
    assert await ask(socket, {"type": "ping"}) == {"type": "pong"}  # no further update was sent


async def test_an_update_is_the_error_as_the_api_gives_it(service: InProcess) -> None:
    socket = await connect(service, INIT)
    await service.post({"system_context": {"hostname": "h"}, "traceback": "T"})
    error = (await heard(socket, 1))[0]["data"]["error"]
    assert error == (await service.get("/api/errors"))["recent_errors"][0]
    assert error["is_critical"] is True


async def test_what_is_answered(service: InProcess) -> None:
    socket = await connect(service)
    assert await ask(socket, INIT) == {
        "type": "error_visualization_init_confirmed", "time_range": 24, "seq": 0, "version": pages.version(),
        "log": service.service.log.identity,
    }  # fmt: skip
    assert await ask(socket, SUBSCRIBE) == {"type": "subscription_confirmed", "topic": "error_visualization"}
    assert await ask(socket, {"type": "ping"}) == {"type": "pong"}
    unsubscribe = {"type": "unsubscribe", "topic": "error_visualization"}
    assert await ask(socket, unsubscribe) == {"type": "unsubscription_confirmed", "topic": "error_visualization"}
    await service.post()
    assert await ask(socket, {"type": "ping"}) == {"type": "pong"}  # no update was sent


@pytest.mark.parametrize(
    ("message", "field"),
    [(3, ""), ([], ""), ({}, ""), ({"type": 3}, "type"), ({"type": "else"}, "type"), ({"type": ["ping"]}, "type"),
     (INIT | {"time_range": "24"}, "time_range"), (INIT | {"time_range": 0}, "time_range"),
     (INIT | {"time_range": True}, "time_range"), (INIT | {"since": -1}, "since"), (INIT | {"since": "1"}, "since"), (INIT | {"log": 1}, "log"),
     (INIT | {"batch": 1}, "batch"), (INIT | {"batch": True, "most": 0}, "most"), (INIT | {"most": 5}, "most"),
     (INIT | {"batch": True, "most": 501}, "most"), (INIT | {"batch": True, "most": "5"}, "most"), ({"type": "subscribe"}, "topic"), (SUBSCRIBE | {"topic": "else"}, "topic"),
     ({"type": "error_visualization_update", "data": {}}, "type")],
)  # fmt: skip
async def test_a_bad_message_is_answered_and_the_connection_stays(service: InProcess, message: Any, field: str) -> None:
    socket = await connect(service)
    answer = await ask(socket, message)
    assert (answer["type"], answer["field"]) == ("error", field)
    assert await ask(socket, {"type": "ping"}) == {"type": "pong"}


async def test_no_json_and_no_text(service: InProcess) -> None:
    socket = await connect(service)
    await socket.send_str("{" * 10_000)
    assert (await socket.receive_json(timeout=15))["type"] == "error"
    await socket.send_bytes(b"\xff")
    assert (await socket.receive_json(timeout=15))["type"] == "error"


async def test_a_foreign_origin_is_refused(service: InProcess) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await service.client.ws_connect("/ws/error-visualization", origin="https://evil.example")
    assert refused.value.status == 403
    own = str(service.client.make_url("/").origin())
    await service.client.ws_connect("/ws/error-visualization", origin=own)


async def test_who_comes_back_gets_what_it_missed(service: InProcess) -> None:
    socket = await connect(service, INIT)
    await service.post({"worker_id": "w1"})
    seq = (await heard(socket, 1))[0]["seq"]
    await socket.close()
    for number in (2, 3):
        await service.post({"worker_id": f"w{number}"})
    socket = await connect(service)
    assert await ask(socket, INIT | {"since": seq}) == {
        "type": "error_visualization_init_confirmed", "time_range": 24, "seq": 3, "resync": False,
        "version": pages.version(), "log": service.service.log.identity,
    }  # fmt: skip
    assert [u["data"]["error"]["worker_id"] for u in await heard(socket, 2)] == ["w2", "w3"]


async def test_who_comes_back_to_another_log_gets_none_of_its_updates(service: InProcess) -> None:
    for number in range(3):
        await service.post({"worker_id": f"w{number}"})
    for known, resync in (("0" * 32, True), (service.service.log.identity, False), (None, False)):
        socket = await connect(service)
        assert (await ask(socket, INIT | {"since": 1, "log": known}))["resync"] is resync
        assert len(await heard(socket, 0 if resync else 2)) == (0 if resync else 2)
        assert await ask(socket, {"type": "ping"}) == {"type": "pong"}


async def test_a_restart_is_no_reason_to_miss_anything(serve: Any) -> None:
    service = await serve()
    for number in range(3):
        await service.post({"worker_id": f"w{number}"})
    await service.client.close()
    service = await serve()
    socket = await connect(service)
    assert (await ask(socket, INIT | {"since": 1}))["resync"] is False
    assert [u["seq"] for u in await heard(socket, 2)] == [2, 3]
    await service.post()
    assert (await heard(socket, 1))[0]["seq"] == 4
    socket = await connect(service)
    assert (await ask(socket, INIT | {"since": 99}))["resync"] is True  # a position of another database


async def test_what_arrives_while_a_client_resumes_comes_after_what_it_missed(
    service: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        await service.post({"worker_id": f"w{number}"})
    reading, go_on = asyncio.Event(), asyncio.Event()
    read = live_module.Live._missed

    async def slowly(hub: Any, since: int, until: int) -> Any:
        reading.set()
        await go_on.wait()
        return await read(hub, since, until)

    monkeypatch.setattr(live_module.Live, "_missed", slowly)
    socket = await connect(service)
    await socket.send_json(INIT | {"since": 1})
    await reading.wait()
    await service.post({"worker_id": "meanwhile"})
    go_on.set()
    assert (await socket.receive_json(timeout=15))["resync"] is False
    assert [u["seq"] for u in await heard(socket, 3)] == [2, 3, 4]


async def test_many_clients_resume_at_once(service: InProcess) -> None:
    """As after a restart of the service: each client gets missed and new updates once and in order."""
    items = [REPORT | {"worker_id": f"w{n}"} for n in range(300)]
    async with service.client.post("/api/report-errors", json=items) as response:
        assert response.status == 200
    sockets = [await connect(service) for _ in range(12)]
    for number, socket in enumerate(sockets):
        await socket.send_json(INIT | {"since": 20 * number})
    for _ in range(30):
        await service.post()
    for number, socket in enumerate(sockets):
        assert (await socket.receive_json(timeout=15))["resync"] is False
        updates = await heard(socket, 330 - 20 * number)
        assert [update["seq"] for update in updates] == list(range(20 * number + 1, 331))


async def test_missed_updates_of_all_clients_are_bounded(service: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that missed more than there is room for fetches a snapshot."""
    await service.post({"message": "x" * 5_000})
    monkeypatch.setattr(live_module, "MAX_MISSED_BYTES", 7_000)
    live = Live(service.service.log)
    one, other, third = [Client(None) for _ in range(3)]  # type: ignore[arg-type]  # nothing is sent to them
    live.clients = {one, other, third}
    one.put_first([Update(event(body=json.dumps({"message": "x" * 3_000})), missed=True)])
    third.put(Update(event(body="x" * 9_000)))  # which all clients share
    assert other.missed_bytes == third.missed_bytes == 0
    for client, room in ((other, False), (third, True)):
        assert await live.answer(client, json.dumps(INIT | {"since": 0})) is None
        confirmed = client.queue[0]
        assert isinstance(confirmed, dict)
        assert confirmed["resync"] is not room
        assert one.missed_bytes in (0, *range(3_000, 3_100))
        if one.queue:
            one.next()
    assert one.missed_bytes == 0
    assert third.missed_bytes > 5_000


async def test_clients_beyond_the_limit_are_told_to_come_again(serve: Callable[..., Any]) -> None:
    service = await serve(max_websocket_clients=2)
    sockets = [await connect(service, INIT) for _ in range(2)]
    refused = await connect(service)
    assert (await refused.receive(timeout=15)).type == aiohttp.WSMsgType.CLOSE
    assert refused.close_code == 1013
    await sockets.pop().close()
    await eventually(lambda: len(service.service.live.clients) == 1)
    again = await connect(service, INIT)
    await service.post()
    assert len(await heard(again, 1)) == 1


async def test_an_init_with_since_repeats_nothing_that_was_heard(service: InProcess) -> None:
    await service.post({"worker_id": "w1"})
    socket = await connect(service, SUBSCRIBE)
    await service.post({"worker_id": "w2"})
    assert [u["seq"] for u in await heard(socket, 1)] == [2]
    assert (await ask(socket, INIT | {"since": 0}))["resync"] is False
    assert [u["seq"] for u in await heard(socket, 1)] == [1]
    assert await ask(socket, {"type": "ping"}) == {"type": "pong"}


async def test_who_missed_too_much_is_told_to_fetch_afresh(service: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    items = [REPORT | {"worker_id": f"w{n}"} for n in range(MAX_QUEUE + 1)]
    async with service.client.post("/api/report-errors", json=items) as response:
        assert response.status == 200
    assert (await ask(await connect(service), INIT | {"since": 1}))["resync"] is True
    assert (await ask(await connect(service), INIT | {"since": 2}))["resync"] is False
    monkeypatch.setattr(live_module, "MAX_BYTES", 40_000)
    await service.post({"system_context": {"log": "x" * 90_000}})
    assert (await ask(await connect(service), INIT | {"since": MAX_QUEUE}))["resync"] is True


async def test_what_the_log_no_longer_has_is_fetched_afresh(serve: Any) -> None:
    service = await serve(log_keep_events=0)
    for number in range(5):
        await service.post({"worker_id": f"w{number}"})
    await service.get("/api/errors")  # now the database has them
    log = service.service.log

    async def trimmed() -> bool:
        log.trim(4)
        await service.post()
        return bool(log.first > 2)

    await eventually(trimmed)
    assert (await ask(await connect(service), INIT | {"since": 0}))["resync"] is True


async def test_an_update_that_cannot_be_made_ends_the_connection(
    service: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    socket = await connect(service, INIT)

    def fails(_: object) -> None:
        raise RecursionError

    monkeypatch.setattr(live_module.Update, "json", fails)
    await service.post()
    message = await socket.receive(timeout=15)
    assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, aiohttp.WSCloseCode.INTERNAL_ERROR)


async def test_updates_come_as_lists_to_who_asks(service: InProcess) -> None:
    socket = await connect(service, INIT | {"batch": True})
    items = [REPORT | {"worker_id": f"w{n}"} for n in range(500)]
    async with service.client.post("/api/report-errors", json=items) as response:
        assert response.status == 200
    got: list[str] = []
    messages = 0
    while len(got) < 500:
        update = await socket.receive_json(timeout=15)
        messages += 1
        got += [e["worker_id"] for e in update["data"]["errors"]]
        assert update["seq"] == len(got)
    assert got == [f"w{n}" for n in range(500)]
    assert messages <= 3


async def test_in_a_flood_the_newest_updates_come_and_the_others_are_counted(serve: Any) -> None:
    service: InProcess = await serve(rate_limit=0)
    socket = await connect(service, INIT | {"batch": True, "most": 10})
    items = [REPORT | {"message": f"m{n}"} for n in range(3_000)]
    async with service.client.post("/api/report-errors", json=items) as response:
        assert response.status == 200
    await service.post({"message": "last"})
    seq, got = 0, []
    while not got or got[-1]["message"] != "last":
        update = await socket.receive_json(timeout=15)
        errors, omitted = update["data"]["errors"], update["data"]["omitted"]
        assert len(errors) <= 10
        assert [one["id"] for one in errors] == sorted(one["id"] for one in errors)
        seq += len(errors) + omitted
        assert update["seq"] == seq
        got += errors
    assert {"m2999", "last"} <= {one["message"] for one in got}
    assert len(got) < 100
    assert service.service.live.dropped == 0


async def test_what_a_client_missed_is_not_left_out(service: InProcess) -> None:
    items = [REPORT | {"worker_id": f"w{n}"} for n in range(300)]
    async with service.client.post("/api/report-errors", json=items) as response:
        assert response.status == 200
    socket = await connect(service)
    assert (await ask(socket, INIT | {"batch": True, "most": 10, "since": 0}))["resync"] is False
    update = await socket.receive_json(timeout=15)
    assert (len(update["data"]["errors"]), update["data"]["omitted"], update["seq"]) == (300, 0, 300)


async def test_one_large_batch_drops_no_client(service: InProcess) -> None:
    """It is longer than the queue of a client, who could not have read it yet."""
    socket = await connect(service, INIT)
    items = [REPORT | {"worker_id": f"w{n}"} for n in range(MAX_QUEUE + 100)]
    async with service.client.post("/api/report-errors", json=items) as response:
        assert response.status == 200
    assert [u["seq"] for u in await heard(socket, MAX_QUEUE + 100)] == list(range(1, MAX_QUEUE + 101))


def test_in_a_flood_critical_updates_go_first() -> None:
    """They sound on the page."""
    severities = {3: "critical", 5: "critical", 7: "critical", 50: "critical"}
    updates = [Update(event(number, severity=severities.get(number, "info"))) for number in range(1, 61)]
    for most, expected in ((6, [3, 5, 7, 50, 59, 60]), (5, [3, 5, 7, 50, 60]), (4, [3, 5, 7, 50]), (2, [7, 50])):
        client = Client(None)  # type: ignore[arg-type]  # nothing is sent to it
        client.batch, client.most = True, most
        client.put(*updates)
        message = json.loads(client.next()[4:])
        assert [one["id"] for one in message["data"]["errors"]] == expected
        assert (message["data"]["omitted"], message["seq"]) == (60 - most, 60)


def test_a_client_with_a_full_queue_is_too_slow_unless_updates_may_be_left_out() -> None:
    updates = [Update(event(number, severity="info")) for number in range(1, MAX_QUEUE + 2)]
    slow, other = Client(None), Client(None)  # type: ignore[arg-type]  # nothing is sent to them
    other.batch, other.most = True, 5
    for client in (slow, other):
        assert client.put(*updates)
    assert not slow.put(updates[0])
    assert other.put(Update(event(MAX_QUEUE + 2, severity="info")))
    message = json.loads(other.next()[4:])
    assert [one["id"] for one in message["data"]["errors"]] == list(range(MAX_QUEUE - 2, MAX_QUEUE + 3))
    assert message["data"]["omitted"] == MAX_QUEUE - 3
    assert (message["seq"], len(other.queue)) == (MAX_QUEUE + 2, 0)


async def test_messages_are_not_compressed(service: InProcess) -> None:
    """For each client in a flood, that would cost more than accepting the reports."""
    socket = await service.client.ws_connect("/ws/error-visualization", compress=15)
    assert socket.compress == 0
    await ask(socket, INIT)
    for message in ("", "x" * 100, "x" * 1_000, "x" * 70_000):  # the three lengths of a frame's head
        await service.post({"message": "m", "traceback": message})
        (update,) = await heard(socket, 1)
        assert len(update["data"]["error"]["traceback"] or "") == min(len(message), 32_769)


async def test_a_client_that_stops_reading_is_dropped_and_delays_no_post(
    service: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "MAX_QUEUE", 50)
    good = await connect(service, INIT)
    stuck = await connect(service, INIT)
    stuck._conn.protocol.pause_reading()  # type: ignore[union-attr]
    for number in range(400):
        await asyncio.wait_for(service.post({"worker_id": f"w{number}", "traceback": "x" * 32_000}), 5)
        assert (await heard(good, 1))[0]["seq"] == number + 1
    await eventually(lambda: len(service.service.live.clients) == 1)
    metrics = await service.metrics()
    assert metrics["distributed_testing_websocket_clients"] == 1
    assert metrics["distributed_testing_websocket_messages_dropped_total"] >= 50
    stuck._conn.transport.abort()  # type: ignore[union-attr]


async def test_the_service_says_goodbye(service: InProcess) -> None:
    socket = await connect(service, INIT)
    closing = asyncio.create_task(service.client.server.close())
    message = await socket.receive(timeout=15)
    assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, aiohttp.WSCloseCode.GOING_AWAY)
    await closing
