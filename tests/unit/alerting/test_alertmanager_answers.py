"""Which answers of an Alertmanager count as sent: a redirect or a page to sign in does not."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from conftest import eventually
from events import event
from stub import listening
from test_alertmanager import PUSH, FakeLog

from exporter.alerting.alertmanager import Notifier

pytestmark = pytest.mark.dashboard


class Fake:
    """An Alertmanager that answers as it is told, and notes what it took."""

    def __init__(self) -> None:
        self.answer: tuple[int, bytes, dict[str, str]] = (200, b"", {})
        self.first: list[tuple[int, bytes, dict[str, str]]] = []
        self.taken: list[dict[str, Any]] = []
        self.asked: list[str] = []  # with which method

    async def take(self, request: web.Request) -> web.Response:
        self.asked.append(request.method)
        if request.method != "POST":
            return web.Response(text="a page")
        if self.first:
            status, body, headers = self.first.pop(0)
        else:
            status, body, headers = self.answer
            self.taken += await request.json() if status == 200 else []
        return web.Response(status=status, body=body, headers=headers)


@pytest.fixture
async def fake() -> AsyncIterator[tuple[Fake, str]]:
    one = Fake()
    async with listening(one.take) as url:
        yield one, url


HTML = {"Content-Type": "text/html; charset=utf-8"}


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((302, b"", {"Location": "/login"}), "status 302, location /login"),
        ((301, b"", {"Location": "https://am.example/api/v2/alerts"}), "status 301, location https://am.example/api"),
        ((308, b"", {}), "status 308, location none"),
        ((200, b"<html>Sign in</html>", HTML), "status 200 with content of type text/html, not an answer of Alertmanager: <h"),
        ((200, b"welcome", {"Content-Type": "text/plain"}), "status 200 with content of type text/plain"),
        ((200, b"[" * 100_000, {"Content-Type": "application/json"}), "status 200 with content of type application/json"),
        ((204, b"", {}), "status 204"),
        ((401, b"who are you?", {}), "status 401: who are you?"),
        ((403, b"", {}), "status 403"),
        ((404, b"", {}), "status 404"),
        ((429, b"", {}), "status 429"),
    ],
)  # fmt: skip
async def test_what_is_no_answer_of_an_alertmanager_is_logged_and_the_alert_sent_again(
    fake: tuple[Fake, str], caplog: pytest.LogCaptureFixture, answer: Any, words: str
) -> None:
    """A proxy or a page to sign in stands before it, or the address is wrong."""
    one, url = fake
    one.first = [answer]
    notifier = Notifier(FakeLog(), [url], PUSH, 100)
    notifier.start()
    notifier.on_events([event(1, received_at=dt.datetime.now(dt.UTC))])
    await eventually(lambda: notifier.queues[0].sent)
    await notifier.stop()
    queue = notifier.queues[0]
    assert (one.asked, len(one.taken), queue.sent, queue.errors) == (["POST", "POST"], 1, 1, 1)
    assert f"did not take 1 alerts: {words}" in caplog.text


@pytest.mark.parametrize("status", [400, 413, 422])
async def test_a_refusal_of_the_alerts_themselves_is_not_sent_again(fake: tuple[Fake, str], status: int) -> None:
    one, url = fake
    one.first = [(status, b'"bad alert"', {})]
    notifier = Notifier(FakeLog(), [url], PUSH, 100)
    notifier.start()
    notifier.on_events([event(1)])
    await eventually(lambda: notifier.queues[0].errors)
    await asyncio.wait_for(notifier.queues[0].idle.wait(), 5)
    await notifier.stop()
    assert (one.asked, notifier.queues[0].sent, notifier.queues[0].errors) == (["POST"], 0, 1)


@pytest.mark.parametrize("body", [b"", b" \n", b"{}", b'{"status":"success"}', b"[%s1]" % (b"1," * 1000)])
async def test_an_empty_body_and_json_are_answers_of_an_alertmanager(fake: tuple[Fake, str], body: bytes) -> None:
    one, url = fake
    one.answer = (200, body, {})
    notifier = Notifier(FakeLog(), [url], PUSH, 100)
    notifier.start()
    notifier.on_events([event(1)])
    await eventually(lambda: notifier.queues[0].sent)
    await notifier.stop()
    assert (one.asked, notifier.queues[0].errors) == (["POST"], 0)


async def test_what_is_too_large_for_a_proxy_is_sent_in_parts(fake: tuple[Fake, str]) -> None:
    one, url = fake
    one.first = [(413, b"too large", {})]
    notifier = Notifier(FakeLog(), [url], PUSH, 100)
    notifier.start()
    notifier.on_events([event(number, fingerprint=f"f{number}") for number in range(1, 6)])
    await asyncio.wait_for(notifier.queues[0].idle.wait(), 5)
    assert len(one.asked) == 4  # refused, then 2, 2 and 1
    assert len({alert["labels"]["fingerprint"] for alert in one.taken}) == 5
    notifier.on_events([event(number, fingerprint=f"f{number}") for number in range(6, 10)])
    await asyncio.wait_for(notifier.queues[0].idle.wait(), 5)
    await notifier.stop()
    assert (len(one.asked), len(one.taken)) == (5, 9)  # the next push is as large as it can be
