"""What reads while reports arrive: open pages, and a Prometheus."""

import asyncio
import contextlib
import re
import time
from array import array
from typing import Final

import aiohttp
from listener import Listener, listen

REFRESH_SECONDS: Final = 1.0  # as in exporter/page/data.js
FACETS_SECONDS: Final = 5.0
AGE_SECONDS: Final = 20.0
OVERVIEW: Final = "/api/errors?time_range=24"
LIST: Final = "/api/errors/list?time_range=24&limit=200"
FACETS: Final = "/api/errors/facets?time_range=24"
BROWSER: Final = {"Accept-Encoding": "gzip, deflate"}
PROMETHEUS: Final = {
    "Accept": "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
    "Accept-Encoding": "gzip",
}
_SEQ: Final = re.compile(rb'"seq":\s*(\d+)')


class Timed:
    """Requests of one kind: when each began (monotonic) and how many seconds it took. `failed` had another status than
    200 or 304; `unchanged` had 304."""

    def __init__(self) -> None:
        self.began = array("d")
        self.took = array("d")
        self.failed = 0
        self.unchanged = 0

    async def get(self, session: aiohttp.ClientSession, path: str, headers: dict[str, str]) -> tuple[bytes, str]:
        """Returns the body, as it was transferred, and the ETag."""
        began = time.monotonic()
        async with session.get(path, headers=headers) as response:
            body = await response.read()
        self.began.append(began)
        self.took.append(time.monotonic() - began)
        self.failed += response.status not in (200, 304)
        self.unchanged += response.status == 304
        return body, response.headers.get("ETag", "")


class Page:
    """An open page of 24 hours without filters. It asks for what `exporter/page/data.js` asks for, when this does:
    after new errors the overview, at most once a second, also the list if live updates were left out, and the facets,
    at most every five seconds."""

    def __init__(self, session: aiohttp.ClientSession, url: str, overview: Timed, facets: Timed, lists: Timed) -> None:
        self._session = session
        self._url = url
        self._overview = overview
        self._facets = facets
        self._lists = lists
        self._tags: dict[str, str] = {}
        self._news = asyncio.Event()
        self.listener: Listener | None = None

    async def run(self) -> None:
        async with self._session.get(OVERVIEW) as response:
            seq = _SEQ.search(await response.read())
        assert seq, "the overview has no seq"
        await self._get(Timed(), LIST)
        await self._get(self._facets, FACETS)
        asked = time.monotonic()
        self.listener = await listen(self._url, since=int(seq[1]), most=50, deflate=True, heard=self._news.set)
        while not self.listener.closed:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), AGE_SECONDS)
            await asyncio.sleep(REFRESH_SECONDS)
            self._news.clear()
            reads = [self._get(self._overview, OVERVIEW, 1)]
            if self.listener.omitted:
                self.listener.omitted = False
                reads.append(self._get(self._lists, LIST, 1))
            await asyncio.gather(*reads)
            if time.monotonic() - asked >= FACETS_SECONDS:
                asked = time.monotonic()
                await self._get(self._facets, FACETS, 5)

    async def _get(self, timed: Timed, path: str, max_age: int = 0) -> None:
        headers = BROWSER | ({"Cache-Control": f"max-age={max_age}"} if max_age else {})
        tag = self._tags.get(path)
        _, self._tags[path] = await timed.get(self._session, path, headers | ({"If-None-Match": tag} if tag else {}))


async def scrape(session: aiohttp.ClientSession, timed: Timed, every: float) -> None:
    """Reads /metrics as Prometheus does, every so many seconds, until it is cancelled."""
    due = time.monotonic()
    while True:
        await timed.get(session, "/metrics", PROMETHEUS)
        due += every
        await asyncio.sleep(max(0.0, due - time.monotonic()))


async def series(session: aiohttp.ClientSession) -> int:
    """Returns how many series /metrics has."""
    async with session.get("/metrics", headers={"Accept-Encoding": "identity"}) as response:
        return sum(not line.startswith(b"#") for line in (await response.read()).splitlines())


def client(url: str) -> aiohttp.ClientSession:
    """A session that leaves bodies compressed: this process shares the cores with the service."""
    return aiohttp.ClientSession(
        url, connector=aiohttp.TCPConnector(limit=0), auto_decompress=False, headers={"Accept-Encoding": "identity"},
        timeout=aiohttp.ClientTimeout(total=60),
    )  # fmt: skip
