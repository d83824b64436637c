"""Deleting errors on request, pins, storage and history, over HTTP."""

import asyncio
import datetime as dt
import json
import logging
import urllib.request
from collections.abc import Callable
from typing import Any

import duckdb
import pytest
from aiohttp import web
from conftest import REPORT, InProcess, Served, eventually
from stub import listening

from exporter.alerting.alertmanager import READER
from exporter.cli import main
from exporter.events.event import decode_batch
from exporter.http import reports
from exporter.store.report_tables import every_block
from exporter.store.reports import unpack

pytestmark = pytest.mark.dashboard


async def listed(service: InProcess) -> list[str]:
    found = await service.get("/api/errors/list", time_range=87_600, limit=1_000)
    return sorted(one["message"] for one in found["errors"])


async def send(service: InProcess, *messages: str, **fields: Any) -> list[int]:
    return [(await service.post({"message": message, **fields}))["id"] for message in messages]


async def test_a_deletion_counts_first_and_deletes_when_it_is_told(service: InProcess) -> None:
    await send(service, "a demo", "another demo", worker_id="demo-1")
    await send(service, "real", worker_id="w1")
    wanted = {"worker": ["demo-1"]}
    assert await service.ask("/api/errors/delete", wanted) == {
        "errors": 2,
        "pinned": 0,
        "dry_run": True,
        "number": None,
    }
    assert len(await listed(service)) == 3
    deleted = await service.ask("/api/errors/delete", wanted | {"dry_run": False})
    assert deleted == {"errors": 2, "pinned": 0, "dry_run": False, "number": 1}
    assert await listed(service) == ["real"]
    assert (await service.get("/api/errors"))["summary"]["total_errors"] == 1
    (noted,) = (await service.get("/api/errors/deletions"))["deletions"]
    assert noted["request"] == wanted | {"dry_run": False}
    assert (noted["number"], noted["errors"], noted["address"]) == (1, 2, "127.0.0.1")
    assert noted["begun_at"] <= noted["ended_at"]
    metrics = await service.metrics()
    assert (
        sum(value for name, value in metrics.items() if name.startswith("distributed_testing_errors_by_severity_total"))
        == 3
    )


@pytest.mark.parametrize(
    ("wanted", "left"),
    [
        ({"q": "secret"}, ["plain 7", "plain 8"]),
        ({"q": "plain 7"}, ["SECRET in capitals", "plain 8", "the secret 7"]),  # digits: the reports decide
        ({"q": "frame 77"}, ["SECRET in capitals", "plain 7", "plain 8"]),  # only in a traceback
        ({"ids": [1, 3]}, ["SECRET in capitals", "plain 8"]),
        ({"q": "plain", "ids": [3]}, ["SECRET in capitals", "plain 8", "the secret 7"]),
        ({"time_range": 1}, []),
        ({"severity": ["warning"]}, ["SECRET in capitals", "plain 7", "plain 8", "the secret 7"]),
    ],
)
async def test_what_matches_every_filter_is_deleted(
    service: InProcess, wanted: dict[str, Any], left: list[str]
) -> None:
    await send(service, "the secret 7", traceback="Frame 77")
    await send(service, "SECRET in capitals", "plain 7", "plain 8")
    deleted = await service.ask("/api/errors/delete", wanted | {"dry_run": False})
    assert await listed(service) == left
    assert deleted["errors"] == 4 - len(left)


async def test_a_secret_is_nowhere_any_more(serve: Callable[..., Any], caplog: pytest.LogCaptureFixture) -> None:
    """Not in the database: neither in a report, a searched text, a template nor the list of deletions; not in the log that
    WebSocket clients resume from, and not in the lines that the service writes. Later errors are."""
    caplog.set_level(logging.DEBUG, logger="exporter")
    service: InProcess = await serve()
    secrets = [f"opensesame {number}" for number in range(150)] + ["for alice: opensesame", "for bob: opensesame"]
    await send(service, *secrets, "harmless")
    await service.ask("/api/errors/delete", {"q": "opensesame", "dry_run": False})
    await send(service, "after it")
    assert await listed(service) == ["after it", "harmless"]
    (noted,) = (await service.get("/api/errors/deletions"))["deletions"]
    assert noted["request"] == {"q_characters": len("opensesame"), "dry_run": False}
    assert "errors match" in caplog.text
    assert "opensesame" not in caplog.text
    log = service.service.log
    assert log.first == len(secrets) + 2
    for record in log.read(log.first, 2**20):
        assert b"opensesame" not in record.payload
    await service.client.close()
    path = service.service.path
    with duckdb.connect(str(path), read_only=True) as db:
        tables = [table for (table,) in db.execute("SELECT table_name FROM duckdb_tables()").fetchall()]
        assert {"texts", "errors", "single_reports", "patterns", "families", "deletions"} <= set(tables)
        for table in tables:
            assert "opensesame" not in str(db.execute(f'FROM "{table}"').fetchall()), table
        assert "opensesame" not in str([unpack(packed) for _, packed in every_block(db)])
    assert await asyncio.to_thread(main, ["compact", "--db-path", str(path)]) == 0
    for file in path.parent.iterdir():
        if file.name in (path.name, f"{path.name}.wal"):
            assert b"opensesame" not in file.read_bytes(), file


async def test_a_secret_is_no_longer_in_an_alert(serve: Callable[..., Any]) -> None:
    """Neither in the one that fires, which is sent again, nor in the state that the log keeps. Others keep their texts."""
    sent: list[dict[str, Any]] = []

    async def take(request: web.Request) -> web.Response:
        sent.extend(await request.json() if request.method == "POST" else [])
        return web.json_response([])

    async with listening(take) as url:
        service: InProcess = await serve(alertmanager_url=[url])
        await service.post({"message": "opensesame", "traceback": "opensesame", "worker_id": "a"})
        await service.post({"message": "harmless", "type": "OtherError", "worker_id": "b"})
        log = service.service.log
        await eventually(lambda: b"opensesame" in log.state(READER) and b"harmless" in log.state(READER))
        await eventually(lambda: len(sent) >= 2)
        sent.clear()
        await service.ask("/api/errors/delete", {"q": "opensesame", "dry_run": False})
        await eventually(lambda: b"deleted on request" in log.state(READER))
        assert b"opensesame" not in log.state(READER)
        assert b"harmless" in log.state(READER)
        await eventually(lambda: sent)
        (told,) = [alert["annotations"] for alert in sent if alert["annotations"]["worker"] == "a"]
        assert told["message"] == "this error was deleted on request"
        assert told["summary"] == "a: this error was deleted on request"
        assert "opensesame" not in str(sent)


async def test_a_pattern_that_comes_back_after_a_deletion_is_not_new(service: InProcess) -> None:
    """It has its id, and its text again."""
    first = await service.post({"message": "token opensesame was refused"})
    await service.ask("/api/errors/delete", {"q": "opensesame", "dry_run": False})
    second = await service.post({"message": "token opensesame was refused"})
    assert second["pattern_id"] == first["pattern_id"]
    (event,) = decode_batch(service.service.log.read(second["id"], 1)[0].payload, second["id"])
    assert not event.is_new_pattern
    (pattern,) = (await service.get("/api/patterns"))["patterns"]
    assert pattern["pattern"] == "token opensesame was refused"


async def test_pinned_errors_are_kept_and_counted(service: InProcess) -> None:
    one, two, three = await send(service, "the engine stopped", "no pump", "a valve leaks", worker_id="w9")
    pattern = (await service.get(f"/api/errors/{two}"))["pattern_id"]
    for path in (f"errors/{one}", f"patterns/{pattern}"):
        assert await service.ask(f"/api/{path}/pin") == {"pinned": True}
        assert (await service.get(f"/api/{path}"))["pinned"] is True
    assert (await service.get(f"/api/errors/{three}"))["pinned"] is False
    storage = await service.get("/api/storage")
    assert (storage["pinned_errors"], storage["pinned_patterns"], storage["errors"]) == (1, 1, 3)
    wanted = {"time_range": 1, "dry_run": False}
    assert (await service.ask("/api/errors/delete", wanted)) == {
        "errors": 1,
        "pinned": 2,
        "dry_run": False,
        "number": 1,
    }
    assert await listed(service) == ["no pump", "the engine stopped"]
    for path in (f"errors/{one}", f"patterns/{pattern}"):
        assert await service.ask(f"/api/{path}/unpin") == {"pinned": False}
        assert (await service.get(f"/api/{path}"))["pinned"] is False
    assert (await service.ask("/api/errors/delete", {"worker": ["w9"], "dry_run": False}))["errors"] == 2
    assert await listed(service) == []


@pytest.mark.parametrize(
    ("body", "status", "field", "words"),
    [
        ({}, 400, "", "at least one filter"),
        ({"dry_run": False}, 400, "", "at least one filter"),
        ({"wroker": ["w"], "dry_run": False}, 400, "wroker", "unknown field"),
        ({"severity": ["fatal"]}, 400, "severity", "fatal"),
        ({"ids": [0]}, 400, "ids", ">= 1"),
        ({"ids": [], "time_range": 24, "dry_run": False}, 400, "ids", "at least one value"),
        ({"worker": [], "time_range": 24, "dry_run": False}, 400, "worker", "at least one value"),
        ({"time_range": 0}, 400, "time_range", ">= 1"),
        ([], 400, "", "object"),
    ],
)
async def test_a_wrong_request_deletes_nothing(
    service: InProcess, body: Any, status: int, field: str, words: str
) -> None:
    await send(service, "stays")
    answer = await service.ask("/api/errors/delete", body, status)
    assert answer["field"] == field
    assert words in answer["message"]
    assert await listed(service) == ["stays"]


@pytest.mark.parametrize("path", ["errors/delete", "errors/1/pin", "errors/1/unpin", "patterns/x/pin"])
async def test_another_web_page_cannot_delete_or_pin(service: InProcess, path: str) -> None:
    await send(service, "stays")
    headers = {"Origin": "https://evil.example"}
    await service.ask(f"/api/{path}", {"time_range": 1, "dry_run": False}, 403, headers=headers)
    assert await listed(service) == ["stays"]


@pytest.mark.parametrize("path", ["errors/99", "errors/x", "patterns/none"])
async def test_what_is_not_there_cannot_be_pinned(service: InProcess, path: str) -> None:
    answer = await service.ask(f"/api/{path}/pin", None, 404)
    assert answer["field"] == "id"


async def test_the_repeat_of_a_deleted_error_is_gone(service: InProcess) -> None:
    """It is not stored again, and its sender need not try again."""
    await send(service, "sent twice", event_id="e1")
    await service.ask("/api/errors/delete", {"ids": [1], "dry_run": False})
    await send(service, "later")  # the log no longer has the first one
    body = REPORT | {"message": "sent twice", "event_id": "e1"}
    async with service.client.post("/api/report-error", json=body) as response:
        assert (response.status, (await response.json())["message"]) == (
            410, "the report repeats an error that was deleted",
        )  # fmt: skip
    assert await listed(service) == ["later"]


async def test_old_errors_are_deleted_while_the_service_runs(
    serve: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their counters and the history stay. A kept answer is not given again, though no error arrived. An error that
    happened long ago but was received just now stays."""
    service: InProcess = await serve(retention="1d", max_report_age=86_400 * 30, min_free_bytes=7)
    old = dt.datetime.now(dt.UTC) - dt.timedelta(days=3)
    new = (await send(service, "new"))[0]
    await send(service, "late", timestamp=old.isoformat())
    with monkeypatch.context() as patch:
        patch.setattr(reports, "now", lambda: old)
        await send(service, "old")

    async def deleted() -> bool:
        return bool(await listed(service) == ["late", "new"])

    await eventually(deleted, 40)
    async with service.client.get("/api/errors?time_range=168") as response:
        assert (await response.json())["data"]["summary"]["total_errors"] == 2
    history = (await service.get("/api/history", days=7))["days"]
    assert [one["critical"] + one["warning"] + one["info"] for one in history] == [2, 1]
    storage = await service.get("/api/storage")
    assert (storage["retention_seconds"], storage["errors"], storage["max_bytes"]) == (86_400, 2, None)
    assert storage["used_bytes"] > 0
    assert storage["disk_free_bytes"] <= storage["disk_bytes"]
    assert storage["min_free_bytes"] == 7
    assert new == 1


async def test_the_history_of_one_worker_or_pattern(service: InProcess) -> None:
    await send(service, "a b c", "a b c", worker_id="w1")
    await send(service, "x y z", worker_id="w2")
    pattern = (await service.get("/api/errors/3"))["pattern_id"]
    today = f"{dt.datetime.now(dt.UTC):%Y-%m-%d}"
    for by, value, errors in (("worker", "w1", 2), ("pattern", pattern, 1)):
        (row,) = (await service.get("/api/history", by=by, value=value))["days"]
        assert (row["day"], row["value"], row["critical"] + row["warning"] + row["info"]) == (today, value, errors)
    assert (await service.get("/api/history", by="worker", value="none"))["days"] == []
    assert (await service.get("/api/history", 400, value="w1"))["field"] == "value"
    assert (await service.get("/api/history", 400, days=0))["field"] == "days"


async def test_a_deletion_goes_on_when_new_errors_arrive(served: Callable[..., Served]) -> None:
    """Errors that are accepted after the request are not deleted."""
    service = served()
    for number in range(30):
        service.post({"message": f"old {number}"})
    deleting = asyncio.create_task(
        asyncio.to_thread(_request, service, "/api/errors/delete", {"time_range": 5, "dry_run": False})
    )
    sent = 0
    while not deleting.done():
        await asyncio.to_thread(service.post, {"message": f"new {sent}"})
        sent += 1
    result = (await deleting)["data"]
    found = service.get("/api/errors/list?limit=1000")["errors"]
    assert 30 <= result["errors"] < 30 + sent
    assert len(found) == 30 + sent - result["errors"]
    ids = [one["id"] for one in found]
    assert ids == list(range(30 + sent, result["errors"], -1)), "the newest are left"


def _request(service: Served, path: str, body: Any) -> Any:
    request = urllib.request.Request(service.url + path, json.dumps(body).encode(), _JSON)
    with urllib.request.urlopen(request, timeout=60) as response:
        return json.load(response)


_JSON = {"Content-Type": "application/json"}
