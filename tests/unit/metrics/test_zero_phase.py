"""A new counter series is 0 until every scraper that is still expected was answered with this 0 twice. Other clients of
/metrics use up none of these zeros; a scraper that has gone delays the end, but not for long."""

import pytest

from exporter.metrics.counters import CounterFamily
from exporter.metrics.zero_phase import MAX_HOLD, MAX_SCRAPERS, PATIENCE, Scraper, ZeroPhase

pytestmark = pytest.mark.dashboard
LONGEST = 60.0
FIRST = Scraper("", "10.0.0.1", 40_001, "Prometheus/2.42.0", True)
SECOND = Scraper("", "10.0.0.1", 40_002, "Prometheus/2.42.0", True)  # behind the same address
CURL = Scraper("", "10.0.0.9", 0, "curl/7.88.1", False)


class Series:
    """One new series with the value 1, and what each scrape is answered."""

    def __init__(self, *known: tuple[Scraper, float]) -> None:
        """`known` scraped before the series was made."""
        self.zero_phase = ZeroPhase(LONGEST)
        self.family = CounterFamily("errors", "Errors", ("worker",))
        for scraper, now in known:
            self.scrape(scraper, now)
        row = self.family.add_row(("w",), 0.0)
        self.family.values[row.place] = 1
        self.zero_phase.hold(self.family, row)

    def scrape(self, scraper: Scraper, now: float) -> int | None:
        self.zero_phase.on_scrape(scraper, now)
        samples = self.family.snapshot().family().samples
        return int(samples[0].value) if samples else None

    def scrapes(self, scraper: Scraper, *moments: float) -> list[int | None]:
        return [self.scrape(scraper, now) for now in moments]


def test_a_prometheus_gets_two_zeros() -> None:
    assert Series((FIRST, 0)).scrapes(FIRST, 15, 30, 45, 60) == [0, 0, 1, 1]


def test_a_prometheus_that_is_new_itself_gets_two_zeros() -> None:
    assert Series().scrapes(FIRST, 15, 30, 45) == [0, 0, 1]


def test_curl_uses_up_no_zero() -> None:
    series = Series((FIRST, 0))
    assert series.scrapes(CURL, *(1 + 0.1 * n for n in range(100))) == [0] * 100
    assert series.scrape(FIRST, 15) == 0
    assert series.scrapes(CURL, *(16 + 0.1 * n for n in range(100))) == [0] * 100
    assert series.scrapes(FIRST, 30, 45) == [0, 1]


def test_clients_that_each_come_once_use_up_no_zero() -> None:
    series = Series((FIRST, 0))
    for number in range(50):
        assert series.scrape(CURL._replace(user_agent=f"curl/{number}"), 1 + number / 10) == 0
    assert series.scrapes(FIRST, 15, 30, 45) == [0, 0, 1]


def test_two_prometheus_servers_get_two_zeros_each() -> None:
    series = Series((FIRST, 0), (SECOND, 5))
    assert series.scrapes(FIRST, 15, 30, 45) == [0, 0, 0]  # the other has not come yet
    assert series.scrape(SECOND, 50) == 0
    assert series.scrape(FIRST, 60) == 0
    assert series.scrape(SECOND, 65) == 0
    assert series.scrape(FIRST, 75) == 1
    assert series.scrape(SECOND, 80) == 1


def test_all_scrapers_see_one_value_which_never_goes_down() -> None:
    """Also the one that saw no zero: a client that is not expected."""
    series = Series((FIRST, 0))
    assert series.scrapes(FIRST, 15, 30, 45) == [0, 0, 1]
    assert series.scrapes(CURL, 46, 47) == [1, 1]
    assert series.scrapes(SECOND, 48, 49, 50) == [1, 1, 1]


def test_a_prometheus_that_has_gone_is_not_waited_for() -> None:
    series = Series((FIRST, 0), (SECOND, 0))
    gone = PATIENCE * LONGEST
    assert series.scrapes(FIRST, 15, 30, 45, gone, gone + 15) == [0, 0, 0, 0, 1]


def test_the_hold_ends_even_if_scrapers_keep_appearing() -> None:
    """As where each scrape comes over a new connection: none is ever seen twice."""
    series = Series()
    scrapes = [FIRST._replace(connection=40_000 + number) for number in range(20)]
    values = [series.scrape(scraper, 15.0 * number) for number, scraper in enumerate(scrapes)]
    last_zero = int(MAX_HOLD * LONGEST / 15)
    assert values == [0] * last_zero + [1] * (20 - last_zero)


def test_a_prometheus_from_before_the_restart_is_waited_for() -> None:
    series = Series()
    series.zero_phase.expect_unseen(0.0)
    assert series.scrapes(FIRST, 15, 30, 45) == [0, 0, 0]
    assert series.scrapes(SECOND, 46, 50) == [0, 0]
    assert series.scrape(FIRST, LONGEST) == 1


def test_without_a_longest_interval_nothing_is_held() -> None:
    zero_phase = ZeroPhase(0.0)
    family = CounterFamily("errors", "Errors", ("worker",))
    zero_phase.hold(family, family.add_row(("w",), 0.0))
    zero_phase.on_scrape(CURL, 1.0)
    assert family.held == set()


def test_many_clients_do_not_displace_a_prometheus() -> None:
    """Clients choose their names, so there can be more of them than are remembered."""
    series = Series((FIRST, 0))
    for number in range(2 * MAX_SCRAPERS):
        client = CURL._replace(forwarded_for=f"10.1.0.{number}")
        assert series.scrapes(client, 1 + number / 100, 1.001 + number / 100) == [0, 0]
    assert series.scrapes(FIRST, 15, 30, 45) == [0, 0, 1]
    assert len(series.zero_phase._scrapes) <= MAX_SCRAPERS
