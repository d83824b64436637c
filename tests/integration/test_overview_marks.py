"""GET /api/errors: the restarts of the service and the mutes of patterns, which the page marks on its chart."""

import datetime as dt
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest
from conftest import InProcess, eventually

from exporter.live.presence import presence_file
from exporter.store import read_states

pytestmark = pytest.mark.dashboard


def ago(**of: float) -> dt.datetime:
    return dt.datetime.now(dt.UTC) - dt.timedelta(**of)


def ahead(**of: float) -> str:
    return (dt.datetime.now(dt.UTC) + dt.timedelta(**of)).isoformat()


async def mutes(service: InProcess, **query: Any) -> list[tuple[str, str, bool]]:
    """Who muted which pattern, and whether that holds."""
    found = (await service.get("/api/errors", **query))["silences"]
    return [(one["by"], one["pattern"], one["ended_at"] is None) for one in found]


async def test_a_mute_appears_at_once_ends_and_leaves(service: InProcess) -> None:
    engine, coal = [(await service.post({"message": text}))["pattern_id"] for text in ("no engine", "no coal")]
    assert await mutes(service) == []
    until = ahead(hours=8)
    await service.ask(f"/api/patterns/{engine}/mute", {"by": "Ana", "until": until, "errors": 9})
    (made,) = (await service.get("/api/errors"))["silences"]
    assert made == {
        "at": made["at"], "ended_at": None, "until": f"{until[:23]}Z", "errors": 9, "by": "Ana", "pattern_id": engine,
        "pattern": "no engine",
    }  # fmt: skip
    await service.ask(f"/api/patterns/{coal}/mute", {"by": "Bo", "errors": 1})
    assert await mutes(service) == [("Bo", "no coal", True), ("Ana", "no engine", True)]
    assert await mutes(service, pattern=engine) == [("Ana", "no engine", True)]
    await service.post({"message": "no coal"})
    await service.ask(f"/api/patterns/{engine}/claim", {"by": "Cy"})
    assert await mutes(service) == [("Bo", "no coal", False), ("Ana", "no engine", False)]
    assert await mutes(service, to=ago(hours=1).isoformat()) == []
    later = await service.get("/api/errors", **{"from": ahead()})
    assert later["silences"] == []


async def test_a_mute_ends_at_its_time(service: InProcess) -> None:
    pattern = (await service.post())["pattern_id"]
    until = ahead(seconds=2)
    await service.ask(f"/api/patterns/{pattern}/mute", {"by": "Ana", "until": until})

    async def ended() -> bool:
        return [holds for _, _, holds in await mutes(service)] == [False]

    await eventually(ended)
    (made,) = (await service.get("/api/errors"))["silences"]
    assert made["ended_at"] == made["until"]


async def test_mutes_are_bounded(service: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    pattern = (await service.post())["pattern_id"]
    for by in ("Ana", "Bo", "Cy"):
        await service.ask(f"/api/patterns/{pattern}/mute", {"by": by, "errors": 5})
    monkeypatch.setattr(read_states, "MAX_SILENCES", 2)
    found = await mutes(service)
    assert [(by, holds) for by, _, holds in found] == [("Cy", True), ("Bo", False)]
    monkeypatch.setattr(read_states, "LOOKED_AT", 1)
    assert [by for by, _, _ in await mutes(service, time_range=2)] == ["Cy"]


async def test_a_restart_is_of_the_spans_that_its_downtime_meets(serve: Any, tmp_path: Path) -> None:
    service = await serve()
    assert (await service.get("/api/errors"))["restarts"] == []
    await service.client.close()
    file, stopped = presence_file(tmp_path / "errors.duckdb"), ago(hours=3).timestamp()
    file.write_bytes(msgspec.json.encode([[stopped - 30 * 3_600, stopped - 29 * 3_600], [stopped - 3_600, stopped]]))
    os.utime(file, (stopped, stopped))
    service = await serve()
    ran = (await service.get("/api/service"))["ran"]
    expected = [{"stopped_at": a["to"], "started_at": b["from"]} for a, b in ((ran[1], ran[0]), (ran[2], ran[1]))]
    for query, number in (({}, 2), ({"time_range": 1}, 1), ({"to": ago(hours=3.5).isoformat()}, 1)):
        found = (await service.get("/api/errors", **query))["restarts"]
        assert found == (expected[1:] if "to" in query else expected[:number])
