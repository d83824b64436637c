"""The short way of a plain report: from aiohttp's parser to ingest, and from there to the socket.

    bytes ─► aiohttp's parser ─► is it a plain report? ── yes ─► ingest ─► is its event on disk? ── yes ─► answer
                                        │ no                                    │ no
                                        └──────► request, middlewares, router, handler, response ◄─┘

Each worker sends the same request again and again, and what aiohttp and our middlewares do for one takes a fifth of the
CPU time of a report (docs/performance.md): they wake one task, make another, a request and a response, and look for the
route. A plain report needs none of that. What is not plain goes the long way: a query, `Origin`, `Expect`, a chunked or
compressed body, `Connection: close`, HTTP/1.0, another host or another spelling of the path; and, while access control
is on, what does not have a token that was seen before. A report that is refused, repeats an earlier one or could not be
stored goes there as well, once ingest is done with it: only the long way can answer errors.

aiohttp's task of the connection sleeps meanwhile, as if no request had come. Where its client is gone, it cannot be
woken any more: then the report is finished without an answer.
"""

import asyncio
import logging
from typing import Any, Final, cast

from aiohttp import HttpVersion11, StreamReader, hdrs, web
from aiohttp.http import RawRequestMessage
from multidict import CIMultiDictProxy

from exporter.access.caller import ANYBODY, Caller, Scope
from exporter.http import refusals, reports
from exporter.http.acknowledgement import acknowledgement
from exporter.http.addresses import ACCESS, client_address
from exporter.http.connections import Connection, peer_of
from exporter.http.headers import WEB_CONFIG
from exporter.http.report_body import JSON
from exporter.http.reports import IDEMPOTENCY_KEY, Early
from exporter.http.responses import HOSTS, REFUSALS, SERVICE
from exporter.ingest.ingest import QueueFullError, Settled, stored_answer
from exporter.ingest.pipeline import INTERNAL, Refusal, Submission

PATH: Final = "/api/report-error"
MAX_ARRIVING: Final = 16_384  # bytes; smaller bodies may arrive after the header
_log = logging.getLogger(__name__)


class Shortcut:
    """Says which requests to `app` are plain reports, and finishes those whose client is gone."""

    def __init__(self, app: web.Application) -> None:
        self.service = app[SERVICE]
        self._refusals = app[REFUSALS]
        self._finishing: set[asyncio.Task[None]] = set()
        self._access = app[ACCESS]
        self._hosts = app[HOSTS]
        self._web_config = app[WEB_CONFIG]
        self._max_bytes = self.service.settings.max_body_bytes

    def caller_of(self, message: RawRequestMessage, payload: StreamReader) -> Caller | None:
        """Returns who sends a plain report, whose body may be arriving; None if the request has to go the long way."""
        if (
            message.path != PATH
            or message.method != hdrs.METH_POST
            or message.version != HttpVersion11
            or message.should_close
            or message.upgrade
            or message.chunked
            or self._web_config.headers
        ):
            return None
        headers = message.headers
        hosts = headers.getall(hdrs.HOST, ())
        if (
            hdrs.ORIGIN in headers
            or hdrs.EXPECT in headers
            or hdrs.CONTENT_ENCODING in headers
            or headers.get(hdrs.CONTENT_TYPE, JSON) != JSON
            or len(hosts) != 1
            or not self._hosts.accepts(hosts[0])
        ):
            return None
        if payload.is_eof():
            fits = 0 < payload.total_bytes <= self._max_bytes
        else:
            fits = int(headers.get(hdrs.CONTENT_LENGTH, MAX_ARRIVING)) < min(MAX_ARRIVING, self._max_bytes)
        return self._admitted(headers) if fits else None

    def _admitted(self, headers: CIMultiDictProxy[str]) -> Caller | None:
        """As `check_access`, but None where that has more to do than to look whether a token still holds."""
        access = self._access
        if not access.is_on:
            return ANYBODY
        values = headers.getall(hdrs.AUTHORIZATION, ())
        identity = access.by_known_token(values[0]) if len(values) == 1 and not access.proxy_header else None
        return identity.caller if identity is not None and Scope.REPORT in identity.caller.scopes else None

    def finish(self, peer: str, message: RawRequestMessage, body: bytes, settled: Settled) -> None:
        """Does for a report whose client is gone what the long way would do: the database may have to be asked whether
        it is a repeat, and a refusal counts."""
        address = client_address(self._access, peer, message.headers)
        task = asyncio.create_task(self._finish(address, body, settled))
        self._finishing.add(task)
        task.add_done_callback(self._finishing.discard)

    async def _finish(self, address: str, body: bytes, settled: Settled) -> None:
        try:
            (result,) = await self.service.ingest.outcomes(settled)
        except QueueFullError:
            result = Refusal("", "", "queue_full")
        except Exception:
            _log.exception("%s", PATH)
            result = Refusal("", "", INTERNAL)
        if isinstance(result, Refusal):
            self._refusals.add(address, refusals.Refusal(result.reason, result.field, body))


class ReportConnection(Connection):
    """A connection on which plain reports take the short way, one at a time. `early` is what became of one that goes
    on on the long way."""

    def __init__(self, shortcut: Shortcut, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.early: Early | None = None
        self._shortcut = shortcut
        self._sleep: asyncio.Future[None] | None = None  # of aiohttp's task, while a report is on the short way
        self._arriving: StreamReader | None = None  # its body, before the end of it is here
        self._is_answered = False  # although it is on the short way: the client takes no answers
        self._caller = ANYBODY  # of the report that is on the short way; it is the first of `_messages`
        self._body = b""

    def parse(self, data: bytes) -> None:
        sleep = self._waiter
        if sleep is None or sleep.done():  # a request is handled
            super().parse(data)
            if self._arriving is not None and self._arriving.is_eof():
                self._enter()
            return
        self._waiter = None  # so that a request does not wake the task
        try:
            super().parse(data)
        finally:
            self._waiter = sleep
        if not self._messages:
            return
        message, payload = self._messages[0]
        caller = self._shortcut.caller_of(message, payload) if isinstance(message, RawRequestMessage) else None
        if len(self._messages) > 1 or caller is None:
            sleep.set_result(None)
            return
        self._sleep, self._waiter = sleep, None
        self._caller, self._arriving = caller, payload
        if payload.is_eof():
            self._enter()

    def look(self) -> None:
        """A body that still arrives goes on on the long way, where it has a deadline."""
        if self._arriving is not None:
            self._arriving = None
            self._wake()

    def resume_reading(self, resume_parser: bool = True) -> None:
        """aiohttp calls this after each body that is read, so that its parser goes on with what it has kept back. There
        is nothing when reading is not paused, and the report on the short way is the only request that waits."""
        if self._sleep is None or self._reading_paused or len(self._messages) > 1:
            super().resume_reading(resume_parser)

    def resume_writing(self) -> None:
        """The client takes answers again. While it does not, no other of its requests is handled."""
        super().resume_writing()
        if self._sleep is not None and self._is_answered:
            self._wake()

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        self._arriving = None
        if self._sleep is not None:
            self._wake()

    def _enter(self) -> None:
        """Queues the report, whose body is here."""
        self._arriving, self.early, self._is_answered = None, None, False
        message, payload = cast("tuple[RawRequestMessage, StreamReader]", self._messages[0])
        self._body = payload.read_nowait()
        service = self._shortcut.service
        service.metrics.received_json.inc()
        key = message.headers.get(IDEMPOTENCY_KEY)
        submission = Submission(self._body, reports.now(), key, caller=self._caller)
        try:
            service.ingest.enter((submission,), self._settle)
        except QueueFullError as error:
            self._settle(Settled(None, error))

    def _settle(self, settled: Settled) -> None:
        """Answers the report, or lets it go on on the long way."""
        body, self._body = self._body, b""  # a connection that is idle keeps none
        try:
            message, payload = cast("tuple[RawRequestMessage, StreamReader]", self._messages[0])
            stored = stored_answer(settled)
            if self._sleep is None or self.socket.is_closing():  # the client is gone
                if stored is None:
                    self._shortcut.finish(peer_of(self.socket), message, body, settled)
                return
            if stored is None:
                self.early = Early(payload, body, settled)
                self._wake(is_settled=True)
                return
            self._messages.popleft()
            cast("Any", self._parser).message_consumed()
            self._is_answered = True
            self.socket.write(acknowledgement(stored))
            if not self.writing_paused:
                self._wake()
        except Exception:
            self.force_close()
            raise

    def _wake(self, *, is_settled: bool = False) -> None:
        """Ends the short way: aiohttp's task handles the next request, if one waits. A stop only lets it handle a
        report that `is_settled`."""
        sleep, self._sleep = cast("asyncio.Future[None]", self._sleep), None
        if sleep.done():
            return
        self._waiter = sleep
        if self.socket.is_closing() or ((self._close or self._force_close) and not is_settled):
            sleep.cancel()
        elif self._messages:
            sleep.set_result(None)
        else:
            self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
