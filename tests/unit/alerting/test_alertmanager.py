"""The push to Alertmanagers: nothing is lost while one is away, nor over a restart of the service."""

import datetime as dt
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from conftest import eventually
from events import event
from stub import listening

from exporter.alerting import alertmanager as module
from exporter.alerting.alertmanager import Notifier
from exporter.alerting.alerts import Push

pytestmark = pytest.mark.dashboard
PUSH = Push(resend_seconds=60, hold_seconds=600, page_url="http://here:8080", runbook_url="http://docs")


class Fake:
    """An Alertmanager that answers with `first`, then with `answer`, and keeps the alerts that it accepted."""

    def __init__(self) -> None:
        self.answer: tuple[int, bytes] = (200, b"{}")
        self.first: list[tuple[int, bytes]] = []
        self.accepted: list[dict[str, Any]] = []
        self.asked = 0

    async def post(self, request: web.Request) -> web.Response:
        self.asked += 1
        status, body = self.first.pop(0) if self.first else self.answer
        if status == 200:
            self.accepted += await request.json()
        return web.Response(status=status, body=body)

    def workers(self) -> list[str]:
        return [alert["labels"]["worker"] for alert in self.accepted]


class FakeLog:
    """What a notifier needs of the log. It outlives a notifier, as the file outlives a service."""

    def __init__(self) -> None:
        self.last = 0
        self.saved: dict[str, int] = {}

    def position(self, reader: str) -> int | None:
        return self.saved.get(reader)

    def save_position(self, reader: str, position: int) -> None:
        self.saved[reader] = position


@pytest.fixture
async def fake() -> AsyncIterator[tuple[Fake, str]]:
    fake = Fake()
    async with listening(fake.post, "/api/v2/alerts", "POST") as url:
        yield fake, url


def started(log: FakeLog, *urls: str, push: Push = PUSH) -> Notifier:
    notifier = Notifier(log, urls, push, 100)  # type: ignore[arg-type]
    notifier.start()
    return notifier


async def test_an_odd_answer_does_not_end_the_sending(fake: tuple[Fake, str]) -> None:
    alertmanager, url = fake
    alertmanager.first = [(502, b"\xe9\xff")]
    notifier = started(FakeLog(), url)
    notifier.on_events([event()])
    await eventually(lambda: alertmanager.accepted)
    assert notifier.queues[0].errors == 1
    await notifier.stop()


async def test_an_alert_that_ended_while_an_alertmanager_was_away_is_sent_to_it(fake: tuple[Fake, str]) -> None:
    alertmanager, url = fake
    alertmanager.answer = (503, b"")
    notifier = started(FakeLog(), url, push=Push(resend_seconds=60, hold_seconds=0.01))
    notifier.on_events([event()])
    await eventually(lambda: alertmanager.asked and not len(notifier._alerts))  # it is over
    alertmanager.answer = (200, b"{}")
    await eventually(lambda: alertmanager.accepted)
    (sent,) = alertmanager.accepted
    assert dt.datetime.fromisoformat(sent["endsAt"]) > dt.datetime.now(dt.UTC)  # or it would notify nobody
    await notifier.stop()


async def test_a_stop_sends_what_waits(fake: tuple[Fake, str]) -> None:
    alertmanager, url = fake
    notifier = started(FakeLog(), url)
    notifier.on_events([event(number) for number in range(1, 71)])
    notifier.on_events([event(70 + number, worker_id=f"w{number}") for number in range(15)])
    await notifier.stop()
    assert len(alertmanager.accepted) == 16


async def test_the_position_is_saved_once_everything_is_accepted(
    fake: tuple[Fake, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TICK_SECONDS", 0.02)
    alertmanager, url = fake
    alertmanager.answer = (503, b"")
    log = FakeLog()
    notifier = started(log, url)
    notifier.on_events([event(1), event(2, severity="info")])
    assert notifier.position == 2
    await eventually(lambda: alertmanager.asked > 1)
    assert log.saved == {}
    alertmanager.answer = (200, b"{}")
    await eventually(lambda: log.saved)
    assert list(log.saved.values()) == [2]
    assert alertmanager.workers() == ["w"]
    await notifier.stop()


async def test_the_slowest_alertmanager_decides_what_a_restart_sends_again(fake: tuple[Fake, str]) -> None:
    alertmanager, url = fake
    dead = "http://127.0.0.1:9"
    log = FakeLog()
    notifier = started(log, url)
    notifier.on_events([event(1)])
    await notifier.stop()
    log.last = 5
    assert Notifier(log, [url], PUSH, 100).accepted() == 1  # type: ignore[arg-type]
    assert Notifier(log, [url, dead], PUSH, 100).accepted() == 1  # type: ignore[arg-type]
    assert Notifier(log, [dead], PUSH, 100).accepted() == 5  # type: ignore[arg-type]  # a new one begins at the end
    log.save_position("alertmanager:127.0.0.1:9", 0)
    assert Notifier(log, [url, dead], PUSH, 100).accepted() == 0  # type: ignore[arg-type]
    assert len(alertmanager.accepted) == 1


async def test_a_restart_goes_on_where_the_service_stopped(fake: tuple[Fake, str]) -> None:
    """What was not accepted is sent and holds from now on; what was accepted ends when it would have ended."""
    alertmanager, url = fake
    log = FakeLog()
    log.save_position(f"alertmanager:{url.removeprefix('http://')}", 2)
    log.last = 3
    now = dt.datetime.now(dt.UTC)
    ago = [now - dt.timedelta(seconds=seconds) for seconds in (650, 300, 5_000)]
    events = [event(n, worker_id=f"w{n}", timestamp=at, received_at=at) for n, at in enumerate(ago, 1)]
    notifier = Notifier(log, [url], PUSH, 100)  # type: ignore[arg-type]
    notifier.resume(events)
    clock = module.time.monotonic()
    assert [alert.labels.worker for alert in notifier._alerts.end(clock)] == ["w1"]
    assert [alert.labels.worker for alert in notifier._alerts.end(clock + 301)] == ["w2"]
    assert [alert.labels.worker for alert in notifier._alerts.end(clock + 601)] == ["w3"]
    notifier.start()
    await notifier.stop()
    assert {"w2", "w3"} <= set(alertmanager.workers())
    (lost,) = [alert for alert in alertmanager.accepted if alert["labels"]["worker"] == "w3"]
    assert dt.datetime.fromisoformat(lost["endsAt"]) > dt.datetime.now(dt.UTC)
    assert list(log.saved.values()) == [3]


async def test_alerts_from_before_the_clock_was_set_back_hold_as_long_as_others() -> None:
    """Over a restart only the wall clock tells how old an error is; one of the future is new."""
    log = FakeLog()
    log.save_position("alertmanager:127.0.0.1:9", 1)
    ahead = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
    notifier = Notifier(log, ["http://127.0.0.1:9"], PUSH, 100)  # type: ignore[arg-type]
    notifier.resume([event(1, timestamp=ahead, received_at=ahead)])
    clock = module.time.monotonic()
    assert len(notifier._alerts.due(clock + PUSH.resend_seconds)) == 1  # else it would end at Alertmanager
    assert len(notifier._alerts.end(clock + PUSH.hold_seconds)) == 1


async def test_what_a_full_queue_drops_is_counted() -> None:
    notifier = Notifier(FakeLog(), ["http://127.0.0.1:9"], PUSH, 3)  # type: ignore[arg-type]
    notifier.on_events([event(number, worker_id=f"w{number}") for number in range(1, 6)])
    (queue,) = notifier.queues
    assert (len(queue), queue.dropped) == (3, 2)


async def test_without_an_alertmanager_nothing_is_kept() -> None:
    log = FakeLog()
    notifier = started(log)
    notifier.on_events([event(7)])
    assert (notifier.position, len(notifier._alerts)) == (7, 0)
    await notifier.stop()
    assert log.saved == {}


async def test_alertmanagers_behind_one_address_have_names_of_their_own() -> None:
    urls = ["http://me:secret@proxy/a/", "http://me:secret@proxy/b", "http://proxy/b"]
    queues = Notifier(FakeLog(), urls, PUSH, 100).queues  # type: ignore[arg-type]
    assert [queue.name for queue in queues] == ["proxy/a", "proxy/b"]
