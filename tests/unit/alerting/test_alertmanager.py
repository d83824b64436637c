"""The push to Alertmanagers: nothing is lost while one is away, nor over a restart of the service."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from conftest import eventually
from events import event
from stub import listening

from exporter.alerting import alertmanager as module
from exporter.alerting import queue as queue_module
from exporter.alerting.alert import Push
from exporter.alerting.alertmanager import Notifier
from exporter.alerting.alerts import Alerts

pytestmark = pytest.mark.dashboard
NOW = dt.datetime(2026, 11, 24, 12, tzinfo=dt.UTC)
PUSH = Push(resend_seconds=60, hold_seconds=600, page_url="http://here:8080", runbook_url="http://docs")


class Fake:
    """An Alertmanager that answers with `first`, then with `answer`, and keeps the alerts that it accepted."""

    def __init__(self) -> None:
        self.answer: tuple[int, bytes] = (200, b"{}")
        self.first: list[tuple[int, bytes]] = []
        self.accepted: list[dict[str, Any]] = []
        self.asked = 0
        self.free = asyncio.Event()  # an answer waits for it
        self.free.set()

    async def post(self, request: web.Request) -> web.Response:
        self.asked += 1
        await self.free.wait()
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
        self.saved: dict[str, bytes] = {}

    def state(self, reader: str) -> bytes:
        return self.saved.get(reader, b"")

    def save_state(self, reader: str, state: bytes) -> None:
        self.saved[reader] = state


@pytest.fixture
async def fake() -> AsyncIterator[tuple[Fake, str]]:
    fake = Fake()
    async with listening(fake.post, "/api/v2/alerts", "POST") as url:
        yield fake, url


def started(log: FakeLog, *urls: str, push: Push = PUSH) -> Notifier:
    notifier = Notifier(log, urls, push, 100)
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


async def test_an_alertmanager_waits_for_the_rest_of_a_group_also_after_an_outage(fake: tuple[Fake, str]) -> None:
    """It does not where the first alert that it gets began longer ago than `group_wait`."""
    alertmanager, url = fake
    notifier = started(FakeLog(), url, push=Push(resend_seconds=0.2, hold_seconds=600))
    (alert,) = notifier._alerts.on_events([event()], 0.0)
    began, alert.starts_at = dt.datetime.now(dt.UTC), NOW
    notifier.queues[0].put([alert])
    await eventually(lambda: len(alertmanager.accepted) > 1)
    first, second = (dt.datetime.fromisoformat(sent["startsAt"]) for sent in alertmanager.accepted[:2])
    assert first >= began - dt.timedelta(milliseconds=1)
    assert second == NOW  # Alertmanager takes the earliest
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


SECRET = dict.fromkeys(("message", "traceback", "run", "job"), "opensesame")


async def test_an_alert_that_ended_and_waits_loses_the_text_of_a_deleted_error(fake: tuple[Fake, str]) -> None:
    alertmanager, url = fake
    alertmanager.answer = (503, b"")
    notifier = started(FakeLog(), url, push=Push(resend_seconds=60, hold_seconds=0.01))
    notifier.on_events([event(7, **SECRET)])
    await eventually(lambda: alertmanager.asked and not len(notifier._alerts))  # it is over
    assert notifier.errors() == {7}
    notifier.forget({7})
    alertmanager.answer = (200, b"{}")
    # A request that was under way has the text; the next one replaces it.
    await eventually(lambda: alertmanager.accepted and "opensesame" not in str(alertmanager.accepted[-1]))
    assert "deleted on request" in str(alertmanager.accepted)
    await notifier.stop()


async def test_an_alert_that_is_being_sent_with_a_deleted_text_is_sent_again(fake: tuple[Fake, str]) -> None:
    alertmanager, url = fake
    alertmanager.free.clear()
    notifier = started(FakeLog(), url, push=Push(resend_seconds=60, hold_seconds=0.01))
    notifier.on_events([event(7, **SECRET)])
    await eventually(lambda: alertmanager.asked and not len(notifier._alerts))  # it is over, and the request waits
    notifier.forget({7})
    alertmanager.free.set()
    await eventually(lambda: len(alertmanager.accepted) == 2)
    assert "opensesame" in str(alertmanager.accepted[0])
    assert "opensesame" not in str(alertmanager.accepted[1])
    await notifier.stop()


async def test_a_stop_sends_what_waits(fake: tuple[Fake, str]) -> None:
    alertmanager, url = fake
    notifier = started(FakeLog(), url)
    notifier.on_events([event(number) for number in range(1, 71)])
    notifier.on_events([event(70 + number, fingerprint=f"f{number}") for number in range(15)])
    await notifier.stop()
    assert len(alertmanager.accepted) == 16


async def test_a_restart_goes_on_where_the_service_stopped(fake: tuple[Fake, str]) -> None:
    """The state has the events up to its position; the log has the rest. No alert gets other labels."""
    alertmanager, url = fake
    log = FakeLog()
    notifier = started(log, url)
    notifier.on_events([event(number, worker_id=f"w{number}") for number in range(1, 4)])
    await notifier.stop()
    told = {str(alert["labels"]) for alert in alertmanager.accepted}
    assert len(told) == 2
    log.last = 8
    again = Notifier(log, [url], PUSH, 100)
    assert again.resumes_at == 3
    again.resume([event(number, worker_id=f"w{number}") for number in range(4, 9)])
    again.start()
    await again.stop()
    resent = {str(alert["labels"]): alert for alert in alertmanager.accepted[len(told) :]}
    assert told <= resent.keys()
    assert len(resent) == 4
    assert {alert["annotations"]["workers"] for alert in resent.values()} == {"8"}


async def test_what_ended_while_an_alertmanager_was_away_outlives_a_restart(fake: tuple[Fake, str]) -> None:
    alertmanager, url = fake
    alertmanager.answer = (503, b"")
    log = FakeLog()
    brief = Push(resend_seconds=60, hold_seconds=0.01, page_url="http://here:8080")
    notifier = started(log, url, push=brief)
    notifier.on_events([event()])
    await eventually(lambda: alertmanager.asked and not len(notifier._alerts))
    await notifier.stop()
    assert alertmanager.accepted == []
    alertmanager.answer = (200, b"{}")
    again = Notifier(log, [url], brief, 100)
    again.resume([])
    again.start()
    await again.stop()
    (sent,) = alertmanager.accepted
    assert sent["annotations"]["quiet"].startswith("Quiet for 0.01 s after 1 error on w.")
    assert dt.datetime.fromisoformat(sent["endsAt"]) > dt.datetime.now(dt.UTC)  # or it would notify nobody


async def test_without_a_state_alerts_are_made_again_from_recent_errors(fake: tuple[Fake, str]) -> None:
    """So after an upgrade, or if the state cannot be read. They end when they would have ended."""
    _, url = fake
    log = FakeLog()
    log.saved[module.READER] = b"of another release"
    now = dt.datetime.now(dt.UTC)
    ago = now - dt.timedelta(seconds=300)
    notifier = Notifier(log, [url], PUSH, 100)
    assert notifier.resumes_at is None
    notifier.resume([event(1, timestamp=ago, received_at=ago)])
    clock = module.time.monotonic()
    assert notifier._alerts.end(clock + 299) == []
    assert len(notifier._alerts.end(clock + 301)) == 1


async def test_alerts_from_before_the_clock_was_set_back_hold_as_long_as_others() -> None:
    """Over a restart only the wall clock tells how old an error is; one of the future is new."""
    ahead = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
    notifier = Notifier(FakeLog(), ["http://127.0.0.1:9"], PUSH, 100)
    notifier.resume([event(1, timestamp=ahead, received_at=ahead)])
    clock = module.time.monotonic()
    assert len(notifier._alerts.due(clock + PUSH.resend_seconds)) == 1  # else it would end at Alertmanager
    assert len(notifier._alerts.end(clock + PUSH.hold_seconds)) == 1


async def test_what_a_full_queue_drops_is_counted() -> None:
    notifier = Notifier(FakeLog(), ["http://127.0.0.1:9"], PUSH, 3)
    notifier.on_events([event(number, fingerprint=f"f{number}") for number in range(1, 6)])
    (queue,) = notifier.queues
    assert (len(queue), queue.dropped) == (3, 2)


async def test_without_an_alertmanager_nothing_is_kept() -> None:
    log = FakeLog()
    notifier = started(log)
    notifier.on_events([event(7)])
    assert (notifier.position, len(notifier._alerts)) == (7, 0)
    await notifier.stop()
    assert log.saved == {}


async def test_errors_of_a_time_without_an_alertmanager_are_not_pushed_later() -> None:
    log = FakeLog()
    for urls in (["http://127.0.0.1:9"], []):
        notifier = Notifier(log, urls, PUSH, 100)
        notifier.start()
        notifier.on_events([event(7)])
        notifier._save()
        for task in [task for tasks in notifier._tasks.values() for task in tasks]:
            task.cancel()
    assert Notifier(log, ["http://127.0.0.1:9"], PUSH, 100).resumes_at is None


async def test_alertmanagers_behind_one_address_have_names_of_their_own() -> None:
    urls = ["http://me:secret@proxy/a/", "http://me:secret@proxy/b", "http://proxy/b"]
    queues = Notifier(FakeLog(), urls, PUSH, 100).queues
    assert [queue.name for queue in queues] == ["proxy/a", "proxy/b"]


def test_an_alertmanager_that_accepts_and_does_not_hold_is_noticed(caplog: pytest.LogCaptureFixture) -> None:
    push = Push(labels={"service": "s"})
    (queue,) = Notifier(FakeLog(), ["http://127.0.0.1:9"], push, 100).queues
    held, lost, young = Alerts(push).on_events([event(n, fingerprint=f"f{n}") for n in range(3)], 0.0)
    queue._note({held.labels: (held, None), lost.labels: (lost, None)}, 0.0)
    queue._note({young.labels: (young, None)}, 100.0)
    there = [held.labels.as_dict({"service": "s"}), young.labels.as_dict({"service": "another service"})]
    for _ in range(2):
        queue.compare(there, 130.0)
        assert (queue.confirmed, queue.unconfirmed) == (1, 1)
    assert caplog.text.count("accepted 1 alerts that it does not hold") == 1
    queue.compare(None, 200.0)  # it does not say
    assert (queue.confirmed, queue.unconfirmed) == (1, 2)
    queue._note({held.labels: (held, None)}, 200.0)  # it is sent again; the others are not
    queue.compare([], 341.0)
    assert (queue.confirmed, queue.unconfirmed) == (1, 1)
    queue._note({lost.labels: (lost, None)}, 342.0)
    queue._note(
        {lost.labels: (lost, NOW), held.labels: (held, NOW), young.labels: (young, NOW)}, 343.0
    )  # they have ended
    queue.compare(there, 343.0)
    assert (queue.confirmed, queue.unconfirmed) == (1, 0)


async def test_it_is_asked_for_the_alerts_of_this_service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_module, "CONFIRM_SECONDS", 0.02)
    pushed: list[dict[str, Any]] = []
    asked: list[list[str]] = []

    async def answer(request: web.Request) -> web.Response:
        if request.method == "POST":
            pushed.extend(await request.json())
            return web.Response()
        asked.append(request.query.getall("filter"))
        return web.json_response(pushed)

    async with listening(answer, "/api/v2/alerts") as url:
        notifier = started(FakeLog(), url, push=Push(labels={"service": 'a"b'}))
        notifier.on_events([event()])
        await eventually(lambda: notifier.queues[0].confirmed)
        await notifier.stop()
    assert asked[0] == ['source="push"', 'service="a\\"b"']
    assert notifier.queues[0].unconfirmed == 0
