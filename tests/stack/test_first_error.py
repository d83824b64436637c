"""The first error of a new series is an increase of 1 in every Prometheus, however many other clients read /metrics.

`increase()` compares samples, so each Prometheus has to see the series at 0 before its value. Here clients as curl scrape
dozens of times a second; none of them may use up the zeros that Prometheus needs."""

import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from conftest import Served, samples
from stack import Stack, free_port, get, needs_stack, wait

pytestmark = [pytest.mark.dashboard, needs_stack]
FIRST_ERRORS = 8  # series, each with one error, at different moments between two scrapes
NAME = "distributed_testing_errors_total"
PAUSE = 0.05  # seconds between two reads of a client
AGENTS = ("curl/7.88.1", "curl/8.5.0", "")


class Reader:
    """A client that reads /metrics over a new connection each time, many times between two scrapes, until `stop`."""

    def __init__(self, url: str, agent: str) -> None:
        self.answers = 0
        self.fell: list[str] = []  # series whose value was lower than before
        self._url = url + "/metrics"
        self._agent = agent
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        known: dict[str, float] = {}
        while not self._stopped.is_set():
            request = urllib.request.Request(self._url, headers={"User-Agent": self._agent})
            with urllib.request.urlopen(request, timeout=10) as response:
                errors = {
                    name: value for name, value in samples(response.read().decode()).items() if name.startswith(NAME)
                }
            self.fell += [name for name, value in errors.items() if value < known.get(name, 0)]
            known = errors
            self.answers += 1
            time.sleep(PAUSE)

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join(20)


@contextmanager
def readers(service: Served) -> Iterator[list[Reader]]:
    running = [Reader(service.url, agent) for agent in AGENTS]
    try:
        yield running
    finally:
        for reader in running:
            reader.stop()


@pytest.fixture
def prometheus(tmp_path: Path) -> Iterator[Callable[[Served, str], str]]:
    """Starts a Prometheus that scrapes a service at an interval, and waits until it has scraped it twice."""
    stacks: list[Stack] = []

    def start(service: Served, interval: str) -> str:
        folder = tmp_path / f"prometheus-{len(stacks)}"
        folder.mkdir()
        stacks.append(Stack(folder))
        url = stacks[-1].start_prometheus(service.url, free_port(), interval=interval)
        wait(lambda: scraped(url, "distributed_testing_build_info", 2))
        return url

    yield start
    for stack in stacks:
        stack.stop()


def ask(prometheus: str, query: str, **more: float) -> list[dict[str, Any]]:
    found = get(f"{prometheus}/api/v1/query?{urllib.parse.urlencode({'query': query, **more})}")
    series: list[dict[str, Any]] = found["data"]["result"]
    return series


def scraped(prometheus: str, query: str, count: int) -> bool:
    """Whether each series of a query has so many samples."""
    found = ask(prometheus, f"count_over_time({query}[5m])")
    return bool(found) and all(int(series["value"][1]) >= count for series in found)


def check_first_errors(service: Served, servers: list[str]) -> None:
    """Each new worker has one error, whose increase every Prometheus sees."""
    workers = [f"w{number}" for number in range(FIRST_ERRORS)]
    with readers(service) as clients:
        wait(lambda: all(client.answers > 3 for client in clients))
        for worker in workers:
            service.post({"worker_id": worker})
            answers = clients[0].answers
            wait(lambda answers=answers: clients[0].answers > answers + 8)
        for server in servers:
            for worker in workers:
                selector = f'{NAME}{{worker="{worker}"}}'
                wait(lambda server=server, selector=selector: ask(server, f"{selector} == 1"), 60.0)
    assert [client.fell for client in clients] == [[]] * len(AGENTS)
    for server in servers:
        for worker in workers:
            selector = f'{NAME}{{worker="{worker}"}}'
            (series,) = ask(server, f"{selector}[5m]")
            values = [value for _, value in series["values"]]
            assert values[:2] == ["0", "0"], worker
            assert values == sorted(values), worker
            last = float(series["values"][-1][0])  # the time of a sample, so that nothing is extrapolated
            (increase,) = ask(server, f"increase({selector}[5m])", time=last)
            assert float(increase["value"][1]) == 1, worker


def test_with_one_prometheus(served: Callable[..., Served], prometheus: Callable[[Served, str], str]) -> None:
    service = served()
    check_first_errors(service, [prometheus(service, "1s")])


def test_with_two_prometheus_servers(served: Callable[..., Served], prometheus: Callable[[Served, str], str]) -> None:
    """One scrapes twice as often as the other and must not use up its zeros. To the service they differ by their
    connections only."""
    service = served()
    check_first_errors(service, [prometheus(service, "1s"), prometheus(service, "2s")])
