"""Decides how long a new counter series is published as 0.

Prometheus' `increase()` compares samples, so it cannot see the errors that are already in the first sample of a series.
A new series is therefore held at 0 until every scraper that is still expected was answered with this 0 twice. A series
that was dropped because it was idle, and comes back, is held in the same way at the value that it had (its floor): to
Prometheus it is a new series, too. Below, 0 stands for the floor.

    created ──► first scrape that shows it: 0 ──► every expected scraper has scraped twice since ──► its value
                            └───────────────── after 3 * the longest interval at the latest ────────────────┘

All scrapers get the same value at the same time. So a counter never goes down, even if two scrapers are mistaken for
one scraper or one scraper for two. A manual request (curl) does not use up the zeros that Prometheus needs.

Prometheus does not send its scrape interval. A request with the header `X-Prometheus-Scrape-Timeout-Seconds` comes from
a scraper that will return within the longest interval (a setting). Any other client is not expected to return until it
has made two requests; after that, it is expected for three times the time between its last two requests.
"""

from collections import deque
from typing import Final, NamedTuple

from aiohttp import web

from exporter.metrics.counters import CounterFamily, Row

SCRAPE_HEADER: Final = "X-Prometheus-Scrape-Timeout-Seconds"
NEVER: Final = float("-inf")
PATIENCE: Final = 1.5  # times the longest interval: after this time without a scrape, a scraper is gone
MAX_HOLD: Final = 3.0  # times the longest interval, from the first scrape that shows a series
MISSED_INTERVALS: Final = 3  # after so many, a client without the header is gone
MIN_PATIENCE: Final = 10.0  # seconds for which a client without the header is expected at least
MAX_SCRAPERS: Final = 100  # beyond that, clients without the header are forgotten first
MAX_IDENTITY: Final = 200  # characters of each part


class Scraper(NamedTuple):
    """Identity of a client of /metrics. `connection` is the port of a Prometheus that keeps its connection open, and
    tells Prometheus servers behind one address apart; 0 for any other client."""

    forwarded_for: str
    address: str
    connection: int
    user_agent: str
    is_prometheus: bool


class Scrapes(NamedTuple):
    """The last two scrapes of one scraper, and until when its next one is expected (all in monotonic seconds)."""

    previous: float
    last: float
    expected_until: float


def scraper_of(request: web.BaseRequest) -> Scraper:
    """The identity of the client that sent `request`."""
    headers = request.headers
    peer = request.transport.get_extra_info("peername") if request.transport else None
    address, port = (str(peer[0]), int(peer[1])) if isinstance(peer, tuple) else ("", 0)
    is_prometheus = SCRAPE_HEADER in headers
    return Scraper(
        headers.get("X-Forwarded-For", "")[:MAX_IDENTITY],
        address,
        port if is_prometheus and request.keep_alive else 0,
        headers.get("User-Agent", "")[:MAX_IDENTITY],
        is_prometheus,
    )


class ZeroPhase:
    """Holds new series at 0 and releases them. Only the event loop may use it; `now` is in monotonic seconds.

    `longest_interval` is the longest scrape interval, in seconds, of any scraper that has to see the zeros; 0 holds
    nothing.
    """

    def __init__(self, longest_interval: float) -> None:
        self._longest_interval = longest_interval
        self._scrapes: dict[Scraper, Scrapes] = {}  # ordered by last scrape, the latest at the end
        self._expect_unseen_until = NEVER
        self._unshown: dict[Row, CounterFamily] = {}
        self._shown: deque[tuple[float, list[tuple[CounterFamily, Row]]]] = (
            deque()
        )  # each with the time of the first scrape that showed it

    def expect_unseen(self, now: float) -> None:
        """Releases nothing for the longest interval: scrapers from before a restart may not have come back yet."""
        self._expect_unseen_until = now + self._longest_interval

    def hold(self, family: CounterFamily, row: Row) -> None:
        """Publishes a new series as its floor from now on."""
        family.held.add(row)
        self._unshown[row] = family

    def forget(self, row: Row) -> None:
        """To be called for a series that was dropped: without scrapes, those that wait for the first would be more and
        more."""
        self._unshown.pop(row, None)

    def on_scrape(self, scraper: Scraper, now: float) -> None:
        """Releases the series that may show their value to this scrape and all later ones, and records the scrape.
        Must be called before the snapshot that answers the scrape."""
        if self._unshown:
            for row in self._unshown:
                row.is_shown = True
            self._shown.append((now, [(family, row) for row, family in self._unshown.items()]))
            self._unshown = {}
        seen_twice = self._seen_twice(now)
        expired = now - MAX_HOLD * self._longest_interval
        while self._shown and self._shown[0][0] <= max(seen_twice, expired):
            for family, row in self._shown.popleft()[1]:
                family.held.discard(row)
        self._record(scraper, now)

    def _seen_twice(self, now: float) -> float:
        """Returns a time. Every expected scraper has received twice each series first shown at or before this time."""
        if now < self._expect_unseen_until:
            return NEVER
        expected = [scrapes.previous for scrapes in self._scrapes.values() if scrapes.expected_until >= now]
        return min(expected, default=NEVER)

    def _record(self, scraper: Scraper, now: float) -> None:
        patience = PATIENCE * self._longest_interval
        known = self._scrapes.pop(scraper, None)
        if known and now - known.last > patience:
            known = None
        previous = known.last if known else NEVER
        if scraper.is_prometheus:
            expected_until = now + patience
        elif known:
            expected_until = now + min(max(MISSED_INTERVALS * (now - previous), MIN_PATIENCE), patience)
        else:
            expected_until = NEVER
        self._scrapes[scraper] = Scrapes(previous, now, expected_until)
        if len(self._scrapes) > MAX_SCRAPERS:
            others = (one for one in self._scrapes if not one.is_prometheus)
            del self._scrapes[next(others, None) or next(iter(self._scrapes))]
