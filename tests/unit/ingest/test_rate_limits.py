"""Token buckets: how many reports they let pass, when they refuse, and that they are bounded."""

import pytest

from exporter.ingest import rate_limits
from exporter.ingest.rate_limits import Buckets, RateLimits

pytestmark = pytest.mark.severity


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0  # seconds

    def __call__(self) -> int:
        return round(self.now * 1e9)


def passed(limits: RateLimits, worker: str, reports: int, token: str = "") -> int:
    return sum(limits.take(worker, token) is None for _ in range(reports))


@pytest.mark.parametrize(("rate", "burst"), [(200.0, 2_000), (0.5, 1), (3.0, 7), (1e6, 1)])
def test_a_burst_then_the_rate(rate: float, burst: int) -> None:
    clock = Clock()
    limits = RateLimits(rate, burst, clock=clock)
    assert passed(limits, "w", burst + 5) == burst
    for _ in range(20):
        clock.now += 2 / rate
        assert passed(limits, "w", 5) in (2, min(2, burst))
    clock.now += 10 * burst / rate
    assert passed(limits, "w", burst + 5) == burst  # not more than a full bucket


def test_a_refused_report_is_told_when_a_token_is_there() -> None:
    clock = Clock()
    limits = RateLimits(0.1, 2, clock=clock)
    assert passed(limits, "w", 2) == 2
    wait = limits.take("w", "")
    assert wait is not None
    assert (wait.limit, round(wait.seconds, 6)) == ("worker", 10.0)
    clock.now += wait.seconds + 1e-6
    assert limits.take("w", "") is None
    assert limits.take("w", "") is not None


def test_workers_do_not_share_a_bucket() -> None:
    limits = RateLimits(1.0, 3, clock=Clock())
    assert passed(limits, "flood", 1_000) == 3
    assert passed(limits, "other", 3) == 3


def test_a_token_is_limited_whatever_workers_it_names() -> None:
    clock = Clock()
    limits = RateLimits(1_000.0, 1_000, 2.0, clock)
    burst = int(2.0 * rate_limits.TOKEN_BURST_SECONDS)
    assert sum(limits.take(f"w{number}", "ci") is None for number in range(100)) == burst
    wait = limits.take("w", "ci")
    assert wait is not None
    assert wait.limit == "token"
    assert passed(limits, "w", 5, "another") == 5
    assert passed(limits, "w", 50) == 50  # without a token


def test_a_refused_report_takes_no_token_of_the_other_bucket() -> None:
    clock = Clock()
    limits = RateLimits(1.0, 1, 10.0, clock)
    assert passed(limits, "w", 1, "ci") == 1
    assert passed(limits, "w", 1_000, "ci") == 0  # the worker's bucket is empty
    assert sum(limits.take(f"w{number}", "ci") is None for number in range(200)) == 99


def test_no_limit() -> None:
    limits = RateLimits(0.0, 1, clock=lambda: 1 // 0)
    assert passed(limits, "w", 10_000, "ci") == 10_000


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limits, "MAX_BUCKETS", 100)
    buckets = Buckets(1e9, 10)  # a token a nanosecond
    for _ in range(10):
        buckets.take("flood", 1_000)
    for number in range(1_000):
        buckets.take(f"w{number}", 1_000)
        assert len(buckets) <= 100
    assert buckets.wait("flood", 1_000) > 0  # the emptiest is kept
    for number in range(101):
        buckets.take(f"v{number}", 2_000)
    assert buckets.wait("flood", 2_000) <= 0


def test_a_token_that_is_given_back_can_be_taken_again() -> None:
    limits = RateLimits(0.001, 2, clock=lambda: 10**9)
    assert [limits.take("w", "") for _ in range(2)] == [None, None]
    assert limits.take("w", "") is not None
    limits.give_back("w")
    limits.give_back("nobody")
    assert limits.take("w", "") is None
    assert limits.take("w", "") is not None
