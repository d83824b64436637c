"""Claimed, resolved, muted, regressed: states of patterns over HTTP, drained workers, and the audit trail."""

import asyncio
import datetime as dt
import itertools
from collections.abc import Callable
from typing import Any

import pytest
from conftest import InProcess, eventually
from test_pattern_ids import NAMES, family, report

pytestmark = pytest.mark.dashboard
NOTHING = {
    "by": None, "at": None, "until": None, "errors_left": None, "silence_id": None, "silence_error": None,
}  # fmt: skip


def ahead(**time: float) -> str:
    return (dt.datetime.now(dt.UTC) + dt.timedelta(**time)).isoformat()


async def one(service: InProcess, message: str = "the engine has stopped", **more: Any) -> str:
    return (await service.post({"message": message, **more}))["pattern_id"]


async def state(service: InProcess, id_: str) -> dict[str, Any]:
    """The state of a pattern, which all answers agree on."""
    found = await service.get(f"/api/patterns/{id_}/state")
    listed = {row["pattern_id"]: row["state"] for row in (await service.get("/api/patterns"))["patterns"]}
    top = {row["pattern_id"]: row["state"] for row in
           (await service.get("/api/errors"))["error_patterns"]["top_patterns"]}  # fmt: skip
    details = (await service.get(f"/api/patterns/{id_}"))["state"]
    answers = [found["state"], listed[found["pattern_id"]], top[found["pattern_id"]], details]
    for one in answers[1:]:  # that no Alertmanager is configured is noted a moment after a mute
        assert one | {"silence_error": None} == answers[0] | {"silence_error": None}
    return found["state"]


async def status(service: InProcess, id_: str) -> str:
    return (await state(service, id_))["status"]


async def actions(service: InProcess, **query: Any) -> list[tuple[str, str | None]]:
    return [(entry["action"], entry["by"]) for entry in (await service.get("/api/audit", **query))["entries"]]


async def test_what_people_say_of_a_pattern_is_its_state(service: InProcess) -> None:
    id_ = await one(service)
    assert await state(service, id_) == NOTHING | {"status": "new"}
    made = await service.ask(f"/api/patterns/{id_}/claim", {"by": " Ana "})
    assert made == {"pattern_id": id_, "state": await state(service, id_), "notes": []}
    assert made["state"] == NOTHING | {"status": "claimed", "by": "Ana", "at": made["state"]["at"]}
    until = ahead(hours=8)
    muted = (await service.ask(f"/api/patterns/{id_}/mute", {"by": "Bo", "until": until, "errors": 9}))["state"]
    assert (muted["status"], muted["by"], muted["errors_left"]) == ("muted", "Bo", 9)
    assert muted["until"][:19] == until[:19]
    assert (await service.ask(f"/api/patterns/{id_}/resolve", {"by": "Ana"}))["state"]["status"] == "resolved"
    reopened = (await service.ask(f"/api/patterns/{id_}/reopen", {"by": "Cy"}))["state"]
    assert reopened == NOTHING | {"status": "open", "by": "Cy", "at": reopened["at"]}
    assert (await service.ask(f"/api/patterns/{id_}/reopen", {"by": "Cy"}, 409))["field"] == "id"
    assert await actions(service) == [("reopen", "Cy"), ("resolve", "Ana"), ("mute", "Bo"), ("claim", "Ana")]


async def test_an_error_after_the_resolution_reopens_a_pattern_once(service: InProcess) -> None:
    id_ = await one(service)
    await service.ask(f"/api/patterns/{id_}/resolve", {"by": "Ana"})
    late = (dt.datetime.now(dt.UTC) - dt.timedelta(minutes=5)).isoformat()
    await one(service, timestamp=late)
    assert await status(service, id_) == "resolved", "it happened before the resolution"
    back = (await service.post({"message": "the engine has stopped"}))["id"]
    await one(service)
    regressed = await state(service, id_)
    assert (regressed["status"], regressed["by"]) == ("regressed", "Ana")
    assert await actions(service) == [("regressed", None), ("resolve", "Ana")]
    (entry, *_) = (await service.get("/api/audit"))["entries"]
    assert (entry["error_id"], entry["pattern_id"]) == (back, id_)


async def test_an_import_reopens_nothing(service: InProcess) -> None:
    id_ = await one(service)
    await service.ask(f"/api/patterns/{id_}/resolve", {"by": "Ana"})
    later = {"message": "the engine has stopped", "worker_id": "w", "timestamp": ahead(seconds=30)}
    assert (await service.ask("/api/report-errors?import=true", [later]))["stored"] == 1
    assert await status(service, id_) == "resolved"


async def test_a_mute_ends_after_so_many_errors_or_at_its_time(service: InProcess) -> None:
    id_ = await one(service)
    await service.ask(f"/api/patterns/{id_}/claim", {"by": "Ana"})
    await service.ask(f"/api/patterns/{id_}/mute", {"by": "Bo", "errors": 2.0})  # 2.0 is an integer in JSON Schema
    await one(service, "another")
    assert (await state(service, id_))["errors_left"] == 2
    await one(service)
    assert (await state(service, id_))["errors_left"] == 1
    await one(service)
    assert await state(service, id_) == NOTHING | {
        "status": "claimed",
        "by": "Ana",
        "at": (await state(service, id_))["at"],
    }
    made = await service.ask(f"/api/patterns/{id_}/mute", {"by": "Bo", "until": ahead(seconds=0.3)})
    assert made["state"]["status"] == "muted"
    await asyncio.sleep(0.3)
    await eventually(lambda: _is(service, id_, "claimed"))
    assert (await actions(service))[:3] == [("unmuted", None), ("mute", "Bo"), ("unmuted", None)]


async def _is(service: InProcess, id_: str, wanted: str) -> bool:
    return (await service.get(f"/api/patterns/{id_}/state"))["state"]["status"] == wanted


async def test_a_state_follows_the_pattern_when_its_id_is_replaced(service: InProcess) -> None:
    a, b = await one(service), await one(service, "the pump is off")
    await service.ask(f"/api/patterns/{a}/claim", {"by": "Ana"})
    await service.ask(f"/api/patterns/{a}/merge", {"into": b})
    assert await status(service, b) == "claimed"
    assert (await service.get(f"/api/patterns/{a}/state"))["pattern_id"] == b
    await service.ask("/api/patterns/decisions/1/undo")
    assert (await status(service, a), await status(service, b)) == ("claimed", "new")
    await service.ask(f"/api/patterns/{b}/resolve", {"by": "Bo"})
    await service.ask(f"/api/patterns/{a}/merge", {"into": b})
    assert await status(service, b) == "resolved", "what was said last"
    await one(service)
    assert await status(service, b) == "regressed", "also by an error that was of the other pattern"
    assert await actions(service, pattern=a) == [("regressed", None), ("resolve", "Bo"), ("claim", "Ana")]


async def test_a_pattern_is_back_when_it_gets_errors_of_another_one(service: InProcess) -> None:
    a, b = await one(service), await one(service, "the pump is off")
    await service.ask(f"/api/patterns/{b}/resolve", {"by": "Ana"})
    back = (await service.post({"message": "the engine has stopped"}))["id"]
    assert await status(service, b) == "resolved"
    await service.ask(f"/api/patterns/{a}/merge", {"into": b})
    assert await status(service, b) == "regressed"
    (entry, *_) = (await service.get("/api/audit"))["entries"]
    assert (entry["action"], entry["error_id"]) == ("regressed", back)


async def test_a_family_keeps_the_state_of_its_first_member(service: InProcess) -> None:
    first = (await service.post(report(NAMES[0])))["pattern_id"]
    await service.ask(f"/api/patterns/{first}/claim", {"by": "Ana"})
    id_ = await family(service)
    assert id_ != first
    assert await status(service, id_) == "claimed"
    await service.ask(f"/api/patterns/{id_}/split", {"fingerprints": [first]})
    assert await status(service, id_) == "claimed", "the state stays with those that stay together"
    assert await status(service, first) == "new"
    await service.ask(f"/api/patterns/{first}/mute", {"by": "Bo", "errors": 3})
    await service.ask("/api/patterns/decisions/1/undo")
    assert await status(service, id_) == "muted", "what was said last"
    await service.ask(f"/api/patterns/{id_}/split", {"fingerprints": [first]})
    assert await status(service, id_) == "muted"
    assert await status(service, first) == "new"


async def test_errors_and_a_resolution_at_once(service: InProcess) -> None:
    id_ = await one(service)
    for _ in range(5):
        await asyncio.gather(
            *(service.post({"message": "the engine has stopped"}) for _ in range(10)),
            service.ask(f"/api/patterns/{id_}/resolve", {"by": "Ana"}),
            *(service.post({"message": "the engine has stopped"}) for _ in range(10)),
        )
        at = next(entry["at"] for entry in (await service.get("/api/audit"))["entries"] if entry["action"] == "resolve")
        newest = (await service.get("/api/errors/list"))["errors"][0]["received_at"]
        found = await status(service, id_)
        assert found == "regressed" if newest > at else found in ("resolved", "regressed")
    got = list(reversed(await actions(service)))
    assert got.count(("resolve", "Ana")) == 5
    for before, after in itertools.pairwise(got):
        assert (before[0], after[0]) != ("regressed", "regressed"), "once for each resolution"


async def test_a_drained_worker(service: InProcess) -> None:
    await one(service, worker_id="w/1")
    path = "/api/workers/w%2F1"
    made = await service.ask(f"{path}/drain", {"by": "Ana", "until": None})
    assert (made["worker_id"], made["drained"]["by"], made["drained"]["until"]) == ("w/1", "Ana", None)
    (worker,) = (await service.get("/api/errors"))["worker_errors"]["worker_stats"]
    assert worker["drained"] == made["drained"]
    assert (await service.ask(f"{path}/undrain", {"by": "Bo"}))["drained"] is None
    assert (await service.ask(f"{path}/undrain", {"by": "Bo"}, 409))["field"] == "id"
    await service.ask(f"{path}/drain", {"by": "Ana", "until": ahead(seconds=0.2)})

    async def is_lifted() -> bool:
        (worker,) = (await service.get("/api/errors"))["worker_errors"]["worker_stats"]
        return worker["drained"] is None

    await eventually(is_lifted)
    assert await actions(service, worker="w/1") == [
        ("drain_ended", None), ("drain", "Ana"), ("undrain", "Bo"), ("drain", "Ana"),
    ]  # fmt: skip
    assert (await service.ask("/api/workers/none/drain", {"by": "Ana"}, 404))["field"] == "id"
    await service.ask("/api/heartbeat", {"worker_id": "quiet"})
    assert (await service.ask("/api/workers/quiet/drain", {"by": "Ana"}))["drained"]["by"] == "Ana"


async def test_what_is_wrong_is_named(service: InProcess) -> None:
    id_ = await one(service)
    path = f"/api/patterns/{id_}"
    refused = [
        (f"{path}/claim", {}, 400, "by"), (f"{path}/claim", {"by": ""}, 400, "by"), (f"{path}/claim", {"by": "  "}, 400, "by"),
        (f"{path}/claim", {"by": "x" * 101}, 400, "by"), (f"{path}/claim", {"by": "a\nb"}, 400, "by"),
        (f"{path}/claim", {"by": "\u00a0"}, 400, "by"),
        (f"{path}/claim", {"by": 1}, 400, "by"), (f"{path}/resolve", None, 400, "by"), (f"{path}/claim", [], 400, ""),
        (f"{path}/mute", {"by": "A"}, 400, "until"), (f"{path}/mute", {"by": "A", "errors": 0}, 400, "errors"),
        (f"{path}/mute", {"by": "A", "errors": 1.5}, 400, "errors"), (f"{path}/mute", {"by": "A", "errors": 1e300}, 400, "errors"),
        (f"{path}/mute", {"by": "A", "errors": 10**10}, 400, "errors"), (f"{path}/mute", {"by": "A", "errors": True}, 400, "errors"),
        (f"{path}/mute", {"by": "A", "until": ahead(seconds=-1)}, 400, "until"),
        (f"{path}/mute", {"by": "A", "until": ahead(days=400)}, 400, "until"),
        (f"{path}/mute", {"by": "A", "until": "9999-12-31T23:59:59-12:00"}, 400, "until"),
        (f"{path}/mute", {"by": "A", "until": "2099-01-01T00:00:00"}, 400, "until"),
        (f"{path}/mute", {"by": "A", "until": "soon"}, 400, "until"),
        *((f"/api/patterns/none/{act}", {"by": "A", "errors": 1}, 404, "id") for act in ("claim", "resolve", "mute", "reopen")),
        ("/api/workers/worker-1/drain", {"by": "A", "until": ahead(seconds=-1)}, 400, "until"),
        ("/api/workers/worker-1/drain", {"by": " "}, 400, "by"),
    ]  # fmt: skip
    for asked, body, wanted, field in refused:
        assert (await service.ask(asked, body, wanted))["field"] == field, (asked, body)
    assert (await service.get("/api/patterns/none/state", 404))["field"] == "id"
    for query, field in (
        ({"limit": 0}, "limit"),
        ({"cursor": "x"}, "cursor"),
        ({"cursor": "0"}, "cursor"),
        ({"x": 1}, "x"),
    ):
        assert (await service.get("/api/audit", 400, **query))["field"] == field
    assert await status(service, id_) == "new"
    assert await actions(service) == []


async def test_the_audit_is_read_page_by_page(service: InProcess) -> None:
    id_ = await one(service)
    for number in range(5):
        await service.ask(f"/api/patterns/{id_}/claim", {"by": f"person {number}"})
    found, cursor = [], ""
    while cursor is not None:
        page = await service.get("/api/audit", limit=2, cursor=cursor)
        found += page["entries"]
        cursor = page["next_cursor"]
    assert [entry["number"] for entry in found] == [5, 4, 3, 2, 1]
    assert [entry["by"] for entry in found] == [f"person {number}" for number in (4, 3, 2, 1, 0)]


async def test_pages_learn_of_a_change_at_once(service: InProcess) -> None:
    id_ = await one(service)
    async with service.client.ws_connect("/ws/error-visualization") as socket:
        await socket.send_json({"type": "subscribe", "topic": "states"})
        assert await socket.receive_json() == {"type": "subscription_confirmed", "topic": "states"}
        assert (await socket.receive_json())["data"] == {"version": 0, "changes": []}
        made = await service.ask(f"/api/patterns/{id_}/resolve", {"by": "Ana"})
        message = await socket.receive_json()
        assert message == {"type": "states", "data": {"version": 1, "changes": [
            {"version": 1, "pattern_id": id_, "state": made["state"], "worker_id": None, "drained": None}]}}  # fmt: skip
        await one(service)
        update = await asyncio.wait_for(socket.receive_json(), 3)
        assert [change["state"]["status"] for change in update["data"]["changes"]] == ["resolved", "regressed"]


async def test_states_outlive_a_restart_and_a_new_process_of_the_database(serve: Callable[..., Any]) -> None:
    service = await serve()
    a, b, c = await one(service), await one(service, "the pump is off"), await one(service, "no power")
    await service.ask(f"/api/patterns/{a}/resolve", {"by": "Ana"})
    await service.ask(f"/api/patterns/{b}/mute", {"by": "Bo", "errors": 5, "until": ahead(hours=1)})
    await service.ask("/api/workers/worker-1/drain", {"by": "Cy"})
    before = [await state(service, id_) for id_ in (a, b, c)]
    await service.client.close()
    again = await serve()
    assert [await state(again, id_) for id_ in (a, b, c)] == before
    assert (await again.get("/api/errors"))["worker_errors"]["worker_stats"][0]["drained"]["by"] == "Cy"
    await one(again)
    assert await status(again, a) == "regressed"
