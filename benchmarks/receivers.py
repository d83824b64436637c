"""Where the messages of benchmarks/messages.py go: stand-ins for Slack and the pager, and a real mail server. All
of them note what they get."""

import contextlib
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from aiohttp import web
from stack import Mail, Slack, in_thread
from stub import listening

CHANNELS: Final = ("slack", "mail", "pager")


class Message(NamedTuple):
    """A message: when it was sent, in seconds since the situations began, and what it says."""

    at: float
    channel: str
    text: str


class MessageLog:
    """All messages, by situation; "" for those of no situation."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names
        self.messages: dict[str, list[Message]] = {name: [] for name in ("", *names)}
        self.began = time.monotonic()

    def add(self, channel: str, content: Any, text: str) -> None:
        whole = json.dumps(content)
        name = next((name for name in self.names if f"http://{name}/" in whole), "")
        message = Message(time.monotonic() - self.began, channel, text)
        self.messages[name].append(message)
        print(f"{message.at:6.0f} s  {name:24} {channel:5}  {text}", flush=True)

    def counts(self, name: str) -> tuple[int, ...]:
        return tuple(sum(one.channel == channel for one in self.messages[name]) for channel in CHANNELS)


class RecordingSlack(Slack):
    def __init__(self, log: MessageLog) -> None:
        super().__init__()
        self._log = log

    async def _take(self, request: web.Request) -> web.Response:
        answer = await super()._take(request)
        if answer.status == 200:
            content = self.messages[-1]
            self._log.add("slack", content, content["attachments"][0]["title"])
        return answer


class RecordingMail(Mail):
    def __init__(self, folder: Path, log: MessageLog) -> None:
        super().__init__(folder)
        self._log = log

    async def handle_DATA(self, *received: Any) -> str:  # noqa: N802
        answer = await super().handle_DATA(*received)
        letter = self.messages[-1]
        self._log.add("mail", letter.get_body(("plain",)).get_content(), letter["Subject"])
        return answer


class Receivers(NamedTuple):
    """Where messages go: Slack, the mail server, and the URL of the pager."""

    slack: RecordingSlack
    mail: RecordingMail
    pager: str


async def receivers(folder: Path, log: MessageLog, ending: contextlib.AsyncExitStack) -> Receivers:
    """Starts what gets messages."""

    async def page(request: web.Request) -> web.Response:
        content = await request.json()
        log.add("pager", content, f"{content['status']} {content['groupLabels'].get('alertname', '')}")
        return web.Response()

    mail, slack = RecordingMail(folder, log), RecordingSlack(log)
    ending.push_async_callback(in_thread, mail.stop)
    await slack.start()
    ending.push_async_callback(slack.stop)
    return Receivers(slack, mail, await ending.enter_async_context(listening(page)))
