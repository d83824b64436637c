"""Muted and resolved patterns with a real Alertmanager: silences are made and lifted, alerts end and come back."""

import asyncio
import datetime as dt
import urllib.parse
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import InProcess, eventually
from stack import Mail, Program, Slack, Stack, free_port, get, in_thread, needs_stack

from exporter.alerting import silence_plan
from exporter.alerting import silences as alerting_silences
from exporter.alerting.silence_plan import Wanted
from exporter.alerting.silences import Result, Silencer

pytestmark = [pytest.mark.dashboard, needs_stack]


@pytest.fixture
async def slack() -> AsyncIterator[Slack]:
    one = Slack()
    await one.start()
    yield one
    await one.stop()


@pytest.fixture
def mail(tmp_path: Path) -> Iterator[Mail]:
    one = Mail(tmp_path)
    yield one
    one.stop()


@pytest.fixture
def stack(tmp_path: Path, slack: Slack, mail: Mail) -> Iterator[Stack]:
    one = Stack(tmp_path)
    one.configure_alertmanager(slack.port, mail.port)
    yield one
    one.stop()


async def started(stack: Stack, port: int, mail: Mail) -> Program:
    return await in_thread(lambda: stack.start_alertmanager(port, authority=mail.authority))


def ahead(**time: float) -> str:
    return (dt.datetime.now(dt.UTC) + dt.timedelta(**time)).isoformat()


def silences(url: str) -> list[dict[str, Any]]:
    """The silences that are in force."""
    return [one for one in get(f"{url}/api/v2/silences") if one["status"]["state"] == "active"]


def marks(url: str) -> list[str]:
    return [one["comment"].partition("[mute ")[2] for one in silences(url)]


def alerts(url: str) -> list[dict[str, Any]]:
    return list(get(f"{url}/api/v2/alerts?active=true&silenced=true"))


def suppressed(url: str) -> dict[str, bool]:
    """Whether each alert is silenced, by its type."""
    return {one["labels"]["type"]: bool(one["status"]["silencedBy"]) for one in alerts(url)}


def end(url: str, id_: str) -> None:
    urllib.request.urlopen(urllib.request.Request(f"{url}/api/v2/silence/{urllib.parse.quote(id_)}", method="DELETE"))


async def state(service: InProcess, id_: str) -> dict[str, Any]:
    return (await service.get(f"/api/patterns/{id_}/state"))["state"]


async def silenced(service: InProcess, id_: str) -> str:
    """Waits until a muted pattern has a silence, and returns its id."""

    async def has() -> bool:
        return (await state(service, id_))["silence_id"] is not None

    await eventually(has)
    return str((await state(service, id_))["silence_id"])


async def test_a_mute_silences_this_pattern_alone_until_it_ends(
    stack: Stack, mail: Mail, serve: Callable[..., Any]
) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    await started(stack, port, mail)
    service = await serve(alertmanager_url=(url,))
    a = (await service.post({"type": "A", "message": "engine"}))["pattern_id"]
    await service.post({"type": "B", "message": "pump"})
    await eventually(lambda: suppressed(url) == {"A": False, "B": False})
    until = ahead(hours=3)
    muted = (await service.ask(f"/api/patterns/{a}/mute", {"by": "Ana", "until": until}))["state"]
    assert (muted["silence_id"], muted["status"]) == (None, "muted")
    id_ = await silenced(service, a)
    (one,) = await in_thread(silences, url)
    assert (one["id"], one["createdBy"], one["endsAt"][:19]) == (id_, "Ana", until[:19])
    await eventually(lambda: suppressed(url) == {"A": True, "B": False})
    assert (await state(service, a))["silence_error"] is None

    # Merged with another pattern: its alerts are silenced, too, and again those of both alone after the undo.
    b = (await service.get("/api/errors/list?type=B"))["errors"][0]["pattern_id"]
    await service.ask(f"/api/patterns/{a}/merge", {"into": b})
    await eventually(lambda: suppressed(url) == {"A": True, "B": True})
    await service.ask("/api/patterns/decisions/1/undo")
    await eventually(lambda: suppressed(url) == {"A": True, "B": False})
    assert len(await in_thread(silences, url)) == 1

    # Into one with a later state: the silence is lifted, and made again after the undo.
    await service.ask(f"/api/patterns/{b}/claim", {"by": "Bo"})
    await service.ask(f"/api/patterns/{a}/merge", {"into": b})
    await eventually(lambda: not silences(url))
    await service.ask("/api/patterns/decisions/2/undo")
    await eventually(lambda: suppressed(url) == {"A": True, "B": False})

    # A restart finds its silence again; the end of the mute lifts it.
    await service.client.close()
    service = await serve(alertmanager_url=(url,))
    await service.ask(f"/api/patterns/{a}/reopen", {"by": "Bo"})
    await eventually(lambda: not silences(url))
    await eventually(lambda: suppressed(url)["A"] is False)

    # Until so many errors.
    await service.ask(f"/api/patterns/{a}/mute", {"by": "Ana", "errors": 1})
    await silenced(service, a)
    await service.post({"type": "A", "message": "engine"})
    await eventually(lambda: not silences(url))
    assert (await state(service, a))["status"] == "open"


async def test_an_alertmanager_that_is_away_holds_up_nothing(
    stack: Stack, mail: Mail, serve: Callable[..., Any]
) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    service = await serve(alertmanager_url=(url,))
    a = (await service.post({"type": "A", "message": "engine"}))["pattern_id"]
    await asyncio.wait_for(service.ask(f"/api/patterns/{a}/mute", {"by": "Ana", "errors": 5}), 1)

    async def says_why() -> bool:
        found = await state(service, a)
        return found["silence_id"] is None and "Cannot connect" in (found["silence_error"] or "")

    await eventually(says_why)
    await started(stack, port, mail)
    id_ = await silenced(service, a)
    assert (await state(service, a))["silence_error"] is None
    await eventually(lambda: suppressed(url) == {"A": True}, 20)

    # Somebody ends the silence there: it is not made again, and the state says so.
    await in_thread(end, url, id_)
    service.service.silencer.connect([])
    service.service.silencer.connect([url])

    async def says_so() -> bool:
        return "ended in Alertmanager" in ((await state(service, a))["silence_error"] or "")

    await eventually(says_so)
    assert (await state(service, a))["status"] == "muted"
    assert not await in_thread(silences, url)


async def test_two_members_of_a_cluster_have_one_silence_that_is_renewed_in_place(
    stack: Stack, mail: Mail, monkeypatch: pytest.MonkeyPatch
) -> None:
    ports, cluster = (free_port(), free_port()), free_port()
    urls = [f"http://127.0.0.1:{port}" for port in ports]
    await in_thread(lambda: stack.start_alertmanager(ports[0], authority=mail.authority, cluster=cluster))
    await in_thread(
        lambda: stack.start_alertmanager(ports[1], authority=mail.authority, cluster=free_port(), peer=cluster)
    )
    monkeypatch.setattr(silence_plan, "RENEW", 2 * silence_plan.ROLLING)  # in each round
    monkeypatch.setattr(alerting_silences, "AGAIN_SECONDS", 0.3)
    results: list[Result] = []

    async def note(_: Wanted, result: Result) -> None:
        results.append(result)

    silencer = Silencer(urls, {"service": "team[a]"}, "team[a]", note)
    mute = Wanted("f", 7, ("f",), "Ana", None, "until more errors")
    silencer.start()
    try:
        silencer.use([mute])

        # Each member may have made one, until it is told of the other.
        def is_one() -> bool:
            ids = [one["id"] for url in urls for one in silences(url)]
            return len(ids) == 2 and len(set(ids)) == 1

        await eventually(is_one, 20)
        (one,) = await in_thread(silences, urls[0])
        await asyncio.sleep(1)  # some rounds
        for url in urls:
            (still,) = await in_thread(silences, url)
            assert still["id"] == one["id"]
            assert still["endsAt"] > one["endsAt"]
            assert len(await in_thread(get, f"{url}/api/v2/silences")) <= 2, "no expired one with each renewal"
        await eventually(lambda: results[-1] == Result(one["id"], None))

        # With a new mute the old silence ends; one that was ended by hand is remembered without Alertmanager.
        silencer.use([mute._replace(number=8)])
        await eventually(lambda: all(marks(url) == ["8 of team[a]]"] for url in urls), 20)
        silencer.use([mute._replace(number=9, noted=(None, silence_plan.ENDED_BY_HAND))])
        await eventually(lambda: not any(silences(url) for url in urls), 20)
        assert results[-1].silence_id is not None, "what the database has is not noted again"
    finally:
        await silencer.stop()


async def test_after_a_start_the_known_silence_holds_until_alertmanager_answers() -> None:
    results: list[Result] = []

    async def note(_: Wanted, result: Result) -> None:
        results.append(result)

    silencer = Silencer([f"http://127.0.0.1:{free_port()}"], {"service": "s"}, "s", note)
    silencer.use([Wanted("f", 7, ("f",), "Ana", None, "until more errors", ("x", None))])
    silencer.start()
    await eventually(lambda: results)
    await silencer.stop()
    assert [one.silence_id for one in results] == ["x"]
    assert "Cannot connect" in (results[0].error or "")


async def test_a_mute_without_an_alertmanager_says_so(service: InProcess) -> None:
    a = (await service.post({"type": "A", "message": "engine"}))["pattern_id"]
    await service.ask(f"/api/patterns/{a}/mute", {"by": "Ana", "errors": 5})

    async def says_so() -> bool:
        return (await state(service, a))["silence_error"] == "no Alertmanager is configured"

    await eventually(says_so)


async def test_what_is_resolved_ends_its_alert_and_alerts_again_when_it_comes_back(
    stack: Stack, slack: Slack, mail: Mail, serve: Callable[..., Any]
) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    await started(stack, port, mail)
    service = await serve(alertmanager_url=(url,))
    a = (await service.post({"type": "A", "message": "engine"}))["pattern_id"]
    await eventually(lambda: len(slack.messages) == 1)
    await service.ask(f"/api/patterns/{a}/resolve", {"by": "Ana"})
    await eventually(lambda: not alerts(url))
    await service.post({"type": "A", "message": "engine"})
    await service.post({"type": "A", "message": "engine"})
    await eventually(lambda: len(alerts(url)) == 1)
    (alert,) = await in_thread(alerts, url)
    assert alert["labels"]["regression"] == "1"
    assert alert["annotations"]["regression"] == "Came back after Ana had resolved it."
    assert alert["annotations"]["summary"].startswith("Came back: ")
    assert (await state(service, a))["status"] == "regressed"
    await asyncio.sleep(1.5)  # the database says the same a second later
    (alert,) = await in_thread(alerts, url)
    assert alert["annotations"]["count"] == "2"
    await service.client.close()
    again = await serve(alertmanager_url=(url,))
    for _ in range(2):
        await again.post({"type": "A", "message": "engine"})
    await eventually(lambda: [one["annotations"]["count"] for one in alerts(url)] == ["4"], 10)
    assert [one["labels"]["regression"] for one in await in_thread(alerts, url)] == ["1"], "one alert, also later"
