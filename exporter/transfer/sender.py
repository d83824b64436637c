"""Sends reports in batches to `POST /api/report-errors`, several batches at a time, until each is settled."""

import asyncio
import io
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final

import aiohttp
import msgspec
from msgspec import Struct

from exporter.backoff import Backoff
from exporter.transfer.files import Item

MAX_REPORTS: Final = 500  # in a batch
MAX_BYTES: Final = 1_000_000  # in a batch of more than one report
IN_FLIGHT: Final = 4  # batches: while one is appended, the next are on their way
TIMEOUT: Final = 60.0  # seconds for an answer
GIVE_UP_SECONDS: Final = 600.0  # without an answer other than "later"
AGAIN: Final = (429, 502, 503, 504)
PATH: Final = "/api/report-errors?import=true"
_HEADERS: Final = {"Content-Type": "application/x-ndjson"}
_POSITION: Final = re.compile(rb"^distributed_testing_log_position (\S+)$", re.MULTILINE)


class SendError(Exception):
    """The service takes no reports, so that going on makes no sense."""


class _Stored(Struct, gc=False):
    id: int


class _Result(Struct, gc=False):
    status: str
    data: _Stored | None = None
    message: str = ""
    code: int = 200


class _Results(Struct):
    results: list[_Result]


class _Answer(Struct):
    message: str = ""
    data: _Results | None = None


_decode = msgspec.json.Decoder(_Answer).decode


class Sender:
    """Sends the reports of one file after another. `accepted` were stored, `repeated` were stored before, `refused`
    never will be. `on_refused` is called with each of those and the reason; `on_batch` after each batch."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        url: str,
        on_refused: Callable[[Item, str], None],
        on_batch: Callable[[], None],
    ) -> None:
        self.accepted = 0
        self.repeated = 0
        self.refused = 0
        self._session = session
        self._url = url.rstrip("/")
        self._on_refused = on_refused
        self._on_batch = on_batch
        self._known = _Ids(0)
        self._unsettled: dict[int, int] = {}  # the first place of each batch under way
        self._next = 1

    @property
    def settled(self) -> int:
        """The place in the file up to which every report is stored or refused."""
        return min(self._unsettled.values(), default=self._next) - 1

    async def begin(self) -> None:
        """Asks the service how many errors it has accepted, to tell which reports repeat one of them. Raises
        `SendError`."""
        try:
            async with self._session.get(f"{self._url}/metrics") as response:
                if response.status in (401, 403):
                    needed = "an import needs a token with the scopes report, read and admin"
                    raise SendError(f"{self._url}: {needed} (--token-file)")
                found = _POSITION.search(await response.read())
        except (aiohttp.ClientError, TimeoutError) as error:
            raise SendError(f"{self._url}: {error or type(error).__name__}") from None
        if found is None:
            lacks = "/metrics lacks distributed_testing_log_position"
            raise SendError(f"{self._url} is not an error-visualization service ({lacks})")
        self._known = _Ids(int(float(found[1])))

    async def send(self, items: Iterable[Item]) -> None:
        """Sends the reports of a file. Raises `SendError` and what the iteration raises."""
        self._unsettled.clear()
        self._next = 1
        batches = enumerate(batched(self._reports(items)))
        async with asyncio.TaskGroup() as group:
            for _ in range(IN_FLIGHT):
                group.create_task(self._work(batches))

    def _reports(self, items: Iterable[Item]) -> Iterator[Item]:
        """Yields the items with a report, and refuses the others."""
        for item in items:
            if item.refused:
                self._refuse(item, item.refused)
            else:
                yield item

    async def _work(self, batches: "Iterator[tuple[int, list[Item]]]") -> None:
        for number, batch in batches:
            self._unsettled[number] = batch[0].place
            self._next = batch[-1].place + 1
            await self._settle(batch)
            del self._unsettled[number]
            self._on_batch()

    async def _settle(self, batch: list[Item]) -> None:
        """Sends a batch until each of its reports is stored or refused."""
        backoff = Backoff(0.2, 10.0)
        now = asyncio.get_running_loop().time
        deadline = now() + GIVE_UP_SECONDS
        while batch:
            status, answer, pause = await self._post(batch)
            if status == 413 and len(batch) > 1:
                middle = len(batch) // 2
                await self._settle(batch[:middle])
                batch = batch[middle:]
            elif answer.data is not None and len(answer.data.results) == len(batch):
                later = self._count(batch, answer.data.results)
                if len(later) < len(batch):
                    backoff.reset()
                    deadline = now() + GIVE_UP_SECONDS
                batch = later
            elif status in (400, 413):
                self._refuse(batch[0], answer.message)
                batch = batch[1:]
                continue
            elif status not in AGAIN:
                raise SendError(f"{self._url}: {answer.message or status}")
            if batch and (status in AGAIN or status == 207):
                if now() > deadline:
                    raise SendError(f"{self._url}: {answer.message or status}")
                await asyncio.sleep(max(pause, backoff.next()))

    async def _post(self, batch: list[Item]) -> tuple[int, _Answer, float]:
        """Returns status and answer, and for how many seconds to wait at least before sending again. A service that
        cannot be reached counts as 503."""
        body = b"\n".join([item.report for item in batch])
        try:
            data = io.BytesIO(body)  # aiohttp warns of large `bytes`
            async with self._session.post(self._url + PATH, data=data, headers=_HEADERS) as response:
                text = await response.read()
                after = response.headers.get("Retry-After", "")
                try:
                    answer = _decode(text)
                except msgspec.DecodeError:
                    answer = _Answer(text[:200].decode("utf-8", "replace"))
                return response.status, answer, float(after) if after.isdigit() else 0.0
        except (aiohttp.ClientError, TimeoutError) as error:
            return 503, _Answer(str(error) or type(error).__name__), 0.0

    def _count(self, batch: list[Item], results: list[_Result]) -> list[Item]:
        """Counts what is settled, and returns the reports that are to be sent again."""
        later = []
        for item, result in zip(batch, results, strict=True):
            if result.data is not None:
                if self._known.add(result.data.id):
                    self.accepted += 1
                else:
                    self.repeated += 1
            elif result.code in AGAIN:
                later.append(item)
            else:
                self._refuse(item, result.message)
        return later

    def _refuse(self, item: Item, reason: str) -> None:
        self.refused += 1
        self._on_refused(item, reason)


class _Ids:
    """The ids of errors that are stored: all up to the first ones, and a bit for each later one."""

    def __init__(self, upto: int) -> None:
        self._upto = upto
        self._bits = bytearray()

    def add(self, id_: int) -> bool:
        """Returns whether the id is new."""
        place, bit = divmod(id_ - self._upto - 1, 8)
        if place < 0:
            return False
        if place >= len(self._bits):
            self._bits.extend(bytes(place + 1 - len(self._bits)))
        is_new = not self._bits[place] >> bit & 1
        self._bits[place] |= 1 << bit
        return is_new


def batched(items: Iterable[Item]) -> Iterator[list[Item]]:
    """Divides reports into batches."""
    batch: list[Item] = []
    size = 0
    for item in items:
        if batch and (len(batch) == MAX_REPORTS or size + len(item.report) > MAX_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(item)
        size += len(item.report)
    if batch:
        yield batch
