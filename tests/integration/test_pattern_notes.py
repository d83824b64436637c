"""Notes of patterns over HTTP: who may write which, and where they are found."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import encode_basic_auth
from conftest import InProcess
from test_pattern_ids import NAMES, family, report
from test_pattern_states import actions, one, status

from exporter.store import read_states
from exporter.store.states import MAX_NOTES, MAX_TEXT

pytestmark = pytest.mark.dashboard


async def texts(service: InProcess, id_: str) -> list[str]:
    return [note["text"] for note in (await service.get(f"/api/patterns/{id_}/state"))["notes"]]


async def write(service: InProcess, id_: str, text: str, by: str = "Ana") -> Any:
    return await service.ask(f"/api/patterns/{id_}/note", {"by": by, "text": text})


async def test_a_note_is_an_entry_of_the_audit_and_changes_no_state(service: InProcess) -> None:
    id_ = await one(service)
    made = await write(service, id_, " the fan of rack 3\r\nis <b>loud</b> \n", " Ana ")
    (note,) = made["notes"]
    assert note == {
        "number": 1, "at": note["at"], "by": "Ana", "caller": None, "text": "the fan of rack 3\nis <b>loud</b>"
    }  # fmt: skip
    assert made == await service.get(f"/api/patterns/{id_}/state")
    assert made["state"]["status"] == "new"
    (entry,) = (await service.get("/api/audit", pattern=id_))["entries"]
    assert (entry["action"], entry["by"], entry["text"]) == ("note", "Ana", note["text"])
    await service.ask(f"/api/patterns/{id_}/mute", {"by": "Bo", "errors": 9})
    muted = await write(service, id_, "tomorrow", "Cy")
    assert ([one["text"] for one in muted["notes"]], muted["state"]["status"]) == (["tomorrow", note["text"]], "muted")
    (silence,) = (await service.get("/api/errors"))["silences"]
    assert silence["ended_at"] is None, "a note does not end a mute"


async def test_notes_take_no_place_of_the_mutes_that_are_looked_at(
    serve: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read_states, "LOOKED_AT", 1)
    service = await serve()
    id_ = await one(service)
    await service.ask(f"/api/patterns/{id_}/mute", {"by": "Bo", "errors": 9})
    for text in ("first", "second", "third"):
        await write(service, id_, text)
    (silence,) = (await service.get("/api/errors"))["silences"]
    assert (silence["by"], silence["ended_at"]) == ("Bo", None)


@pytest.mark.parametrize(
    ("body", "field", "words"),
    [
        ({"by": "Ana"}, "text", ""),
        ({"by": "Ana", "text": ""}, "text", "text: expected a text that is not blank"),
        ({"by": "Ana", "text": " \n\x1b[0m"}, "text", "text: expected a text that is not blank"),
        ({"by": "Ana", "text": 1}, "text", ""),
        ({"by": "Ana", "text": "x" * 2_001}, "text", "text: expected at most 2,000 characters, got 2,001"),
        ({"text": "x"}, "by", ""),
        ({"by": " ", "text": "x"}, "by", ""),
    ],
)
async def test_what_is_wrong_with_a_note_is_named(
    service: InProcess, body: dict[str, Any], field: str, words: str
) -> None:
    id_ = await one(service)
    refused = await service.ask(f"/api/patterns/{id_}/note", body, 400)
    assert refused["field"] == field
    assert words in refused["message"]
    assert await actions(service) == []


async def test_a_note_needs_a_pattern_and_a_scope(serve: Callable[..., Any]) -> None:
    service = await serve(users={"ada": "lovelace", "eve": "garden"}, admin_users="ada")
    ada, eve = (
        {"headers": {"Authorization": encode_basic_auth(*one)}} for one in (("ada", "lovelace"), ("eve", "garden"))
    )
    id_ = (await service.post({"message": "the engine has stopped"}, **ada))["pattern_id"]
    for path, who, wanted in ((id_, eve, 403), ("none", ada, 404), (id_, ada, 200)):
        body = {"by": "Ada", "text": "seen"}
        async with service.client.post(f"/api/patterns/{path}/note", json=body, **who) as response:
            answer = await response.json()
        assert response.status == wanted
    assert [(note["by"], note["caller"]) for note in answer["data"]["notes"]] == [("Ada", "ada")]


async def test_a_note_is_cleaned_and_bounded(service: InProcess) -> None:
    id_ = await one(service)
    await write(service, id_, "\x1b[31mlog in\x1b[0m with password=hunter2hunter2 as \x07root")
    (text,) = await texts(service, id_)
    assert text.startswith("log in with password=[")
    assert "hunter2" not in text
    assert text.endswith(" as \ufffdroot")
    secret = "password=hunter2 "
    await write(service, id_, (secret * MAX_TEXT)[:MAX_TEXT])
    assert len((await texts(service, id_))[0]) <= MAX_TEXT, "marks are longer than what they stand for"
    await write(service, id_, "x" * MAX_TEXT)
    for number in range(MAX_NOTES):
        await write(service, id_, f"note {number}")
    assert await texts(service, id_) == [f"note {number}" for number in reversed(range(MAX_NOTES))]
    entries = (await service.get("/api/audit", pattern=id_))["entries"]
    assert len(entries) == MAX_NOTES + 3, "the audit trail has the earlier ones"


async def test_notes_are_found_after_a_merge_and_a_split(service: InProcess) -> None:
    a, b = await one(service), await one(service, "the pump is off")
    await write(service, a, "of a")
    await write(service, b, "of b")
    await service.ask(f"/api/patterns/{a}/merge", {"into": b})
    assert await texts(service, a) == await texts(service, b) == ["of b", "of a"]
    await service.ask("/api/patterns/decisions/1/undo")
    assert (await texts(service, a), await texts(service, b)) == (["of a"], ["of b"])

    first = (await service.post(report(NAMES[0])))["pattern_id"]
    await write(service, first, "of the first")
    whole = await family(service)
    await write(service, whole, "of the family")
    assert await texts(service, whole) == ["of the family", "of the first"]
    await service.ask(f"/api/patterns/{whole}/split", {"fingerprints": [first]})
    assert "of the family" in await texts(service, whole)
    assert "of the first" in await texts(service, first)


async def test_pages_learn_of_a_note_at_once(service: InProcess) -> None:
    id_ = await one(service)
    async with service.client.ws_connect("/ws/error-visualization") as socket:
        await socket.send_json({"type": "subscribe", "topic": "states"})
        assert await socket.receive_json() == {"type": "subscription_confirmed", "topic": "states"}
        assert (await socket.receive_json())["data"] == {"version": 0, "changes": []}
        made = await write(service, id_, "seen")
        message = await asyncio.wait_for(socket.receive_json(), 5)
        assert message["data"] == {"version": 1, "changes": [
            {"version": 1, "pattern_id": id_, "state": made["state"], "worker_id": None, "drained": None, "note": 1}]}  # fmt: skip
        await service.ask(f"/api/patterns/{id_}/claim", {"by": "Bo"})
        update = await asyncio.wait_for(socket.receive_json(), 5)
        assert ["note" in change for change in update["data"]["changes"]] == [True, False]


async def test_notes_outlive_a_restart(serve: Callable[..., Any]) -> None:
    service = await serve()
    id_ = await one(service)
    before = await write(service, id_, "seen")
    await service.client.close()
    again = await serve()
    assert await again.get(f"/api/patterns/{id_}/state") == before
    assert await status(again, id_) == "new"
