"""Makes and lifts silences of muted patterns in each Alertmanager (`silence_plan.py` says which).

Nothing waits for an Alertmanager: `use` only says which patterns are muted now. Each one is asked for its silences when
the mutes change, and every `AGAIN_SECONDS`; if it does not answer, it is tried again with backoff, and `on_result` is
told why there is no silence."""

import asyncio
import contextlib
import datetime as dt
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, NamedTuple
from urllib.parse import quote, urlencode, urlsplit

import aiohttp
import msgspec

from exporter.access.secrets import without_secrets
from exporter.alerting.silence_plan import ENDED_BY_HAND, Held, Wanted, plan
from exporter.backoff import Backoff

AGAIN_SECONDS: Final = 30.0
FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 15.0
TIMEOUT_SECONDS: Final = 10.0
MAX_HELD: Final = 2**25  # bytes of a list of silences
MAX_ANSWER: Final = 4_096  # bytes of another answer
MAX_SHOWN: Final = 200  # characters of a reason
NOT_CONFIGURED: Final = "no Alertmanager is configured"
WAITS: Final = "Alertmanager has not answered yet"
_JSON: Final = {"Content-Type": "application/json"}
_held = msgspec.json.Decoder(list[Held]).decode
_log = logging.getLogger(__name__)


class Result(NamedTuple):
    """The id of the silence of a muted pattern, or why there is none."""

    silence_id: str | None
    error: str | None


class _Created(msgspec.Struct, rename={"silence_id": "silenceID"}):
    silence_id: str


class Silencer:
    """`labels` are those of every pushed alert; `service` is what tells this service from all others, in comments.
    `on_result` is called with a mute and its `Result` when that changes; it may be called again with the same one."""

    def __init__(
        self, urls: Sequence[str], labels: dict[str, str], service: str,
        on_result: Callable[[Wanted, Result], Awaitable[None]],
    ) -> None:  # fmt: skip
        self._labels = labels
        self._service = service
        self._on_result = on_result
        self._urls = list(urls)
        self._mutes: list[Wanted] = []
        self._results: dict[str, dict[int, Result]] = {}  # by URL and number of the mute
        self._told: dict[int, Result] = {}
        self._lifted: list[Wanted] = []  # mutes of which is to be noted that they have no silence any more
        self._wakes: dict[str, asyncio.Event] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._telling = asyncio.Event()

    def start(self) -> None:
        self._tasks[""] = asyncio.create_task(self._tell())
        self.connect(self._urls)

    def connect(self, urls: Sequence[str]) -> None:
        """Uses these Alertmanagers from now on."""
        self._urls = list(dict.fromkeys(urls))
        for url in self._tasks.keys() - {*self._urls, ""}:
            self._tasks.pop(url).cancel()
            self._results.pop(url, None)
        for url in self._urls:
            if url not in self._tasks:
                self._wakes[url] = asyncio.Event()
                self._wakes[url].set()
                self._tasks[url] = asyncio.create_task(self._serve(url))
        self._telling.set()

    def use(self, mutes: Sequence[Wanted]) -> None:
        """Says which patterns are muted now."""
        is_same = [_essence(mute) for mute in mutes] == [_essence(mute) for mute in self._mutes]
        numbers = {mute.number for mute in mutes}
        gone = [mute for mute in self._mutes if mute.number not in numbers and mute.noted[0]]
        self._mutes = list(mutes)
        if is_same:
            return
        self._lifted.extend(gone)
        self._told = {number: result for number, result in self._told.items() if number in numbers}
        for wake in self._wakes.values():
            wake.set()
        self._telling.set()

    async def stop(self) -> None:
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _serve(self, url: str) -> None:
        """Keeps the silences of one Alertmanager right, until it is cancelled."""
        wake, backoff, said = self._wakes[url], Backoff(FIRST_PAUSE, LONGEST_PAUSE), ""
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
        is_clean = False  # whether it has no silence of ours
        async with aiohttp.ClientSession(timeout=timeout) as session:
            while True:
                wake.clear()
                mutes = list(self._mutes)
                failure = ""
                if mutes or not is_clean:
                    try:
                        await self._put_right(session, url, mutes)
                        is_clean = not mutes
                    except Exception as error:
                        failure = without_secrets(str(error) or type(error).__name__)[:MAX_SHOWN]
                        known = self._results.get(url, {})
                        self._results[url] = {
                            mute.number: Result(
                                known[mute.number].silence_id if mute.number in known else mute.noted[0], failure
                            )
                            for mute in mutes
                        }
                        if failure != said:
                            _log.warning("silences could not be made in Alertmanager %s: %s", _name(url), failure)
                    self._telling.set()
                said = failure
                if not failure:
                    backoff = Backoff(FIRST_PAUSE, LONGEST_PAUSE)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(backoff.next() if failure else AGAIN_SECONDS):
                        await wake.wait()

    async def _put_right(self, session: aiohttp.ClientSession, url: str, mutes: list[Wanted]) -> None:
        """Compares the silences of one Alertmanager with the mutes, and changes what differs. Silences are made before
        others are ended: a pattern that was muted anew never is without one."""
        now = dt.datetime.now(dt.UTC)
        address = url.rstrip("/")
        todo = plan(mutes, await self._ask(session, address), self._labels, self._service, now)
        numbers = {mute.anchor: mute.number for mute in mutes}
        results = {numbers[anchor]: Result(id_, None) for anchor, id_ in todo.kept.items()}
        results |= {numbers[anchor]: Result(None, ENDED_BY_HAND) for anchor in todo.ended}
        for mute, body in todo.posts:
            payload = msgspec.json.encode(body)
            async with session.post(
                f"{address}/api/v2/silences", data=payload, headers=_JSON, allow_redirects=False
            ) as response:
                answer = await _read(response.content, MAX_ANSWER)
            if response.status == 200:
                results[mute.number] = Result(msgspec.json.decode(answer, type=_Created).silence_id, None)
            else:
                words = answer.decode(errors="replace").strip()
                if response.status >= 500:  # tried again; until then nothing is ended
                    raise OSError(f"status {response.status}: {words}")
                results[mute.number] = Result(None, f"status {response.status}: {words}"[:MAX_SHOWN])
        self._results[url] = results
        for id_ in todo.expire:
            await self._expire(session, address, id_)

    async def _expire(self, session: aiohttp.ClientSession, address: str, id_: str) -> None:
        async with session.delete(f"{address}/api/v2/silence/{quote(id_)}", allow_redirects=False) as response:
            if response.status in (200, 404):
                return
            words = (await _read(response.content, MAX_ANSWER)).decode(errors="replace")
            if "expired" not in words:  # another member of the cluster was asked first
                raise OSError(f"status {response.status} for the end of a silence")

    async def _ask(self, session: aiohttp.ClientSession, url: str) -> list[Held]:
        """Returns the silences for pushed alerts, also expired ones and those of earlier external labels."""
        filters = urlencode({"filter": 'source="push"'})
        async with session.get(f"{url}/api/v2/silences?{filters}", allow_redirects=False) as response:
            if response.status != 200:
                raise OSError(f"status {response.status}")
            return _held(await _read(response.content, MAX_HELD))

    async def _tell(self) -> None:
        """Tells `on_result` what changed, until it is cancelled."""
        backoff = Backoff(FIRST_PAUSE, LONGEST_PAUSE)
        while True:
            await self._telling.wait()
            self._telling.clear()
            try:
                while self._lifted:  # such a mute may count again later: its silence was not ended by somebody
                    await self._on_result(self._lifted[0], Result(None, None))
                    self._lifted.pop(0)
                for mute in self._mutes:
                    result = self._result(mute)
                    is_unknown = result.error == WAITS and any(mute.noted)  # after a start: what was noted holds
                    if self._told.get(mute.number, mute.noted) != result and not is_unknown:
                        await self._on_result(mute, result)
                        self._told[mute.number] = result
                backoff = Backoff(FIRST_PAUSE, LONGEST_PAUSE)
            except Exception as error:
                _log.debug("a silence could not be noted; it is tried again: %s", error)
                self._telling.set()
                await asyncio.sleep(backoff.next())

    def _result(self, mute: Wanted) -> Result:
        """Returns the result of a mute at all Alertmanagers together."""
        waits = Result(None, WAITS)
        results = [self._results.get(url, {}).get(mute.number, waits) for url in self._urls]
        ids = [one.silence_id for one in results if one.silence_id]
        errors = [one.error for one in results if one.error] if self._urls else [NOT_CONFIGURED]
        if mute.is_ended and not ids:
            errors = [ENDED_BY_HAND]  # also while no Alertmanager answers: nothing else remembers it for long
        return Result(ids[0] if ids else None, errors[0] if errors else None)


def _essence(mute: Wanted) -> Wanted:
    """Returns a mute without what the database has noted of its silence."""
    return mute._replace(noted=(None, None))


def _name(url: str) -> str:
    """Returns the address of an Alertmanager without credentials."""
    parts = urlsplit(url)
    return parts.netloc.rpartition("@")[2] + parts.path.rstrip("/")


async def _read(content: aiohttp.StreamReader, most: int) -> bytes:
    try:
        return await content.readexactly(most)
    except asyncio.IncompleteReadError as error:
        return error.partial
