"""How the service behaves with more workers, more WebSocket clients and more series, each on an empty database."""

import tempfile
from pathlib import Path
from typing import Any, Final

from bodies import encoded, sample
from closed_loop import script, service, wrk
from figures import Quantiles, Spread, spread
from load import Options, under_load
from load_results import Load
from msgspec import Struct
from serving import Serving

WORKERS: Final = (10, 100, 1_000, 10_000)
CLIENTS: Final = (1, 10, 100, 1_000)  # the service admits no more
SERIES: Final = 10_000
CLIENTS_RATE: Final = 100  # reports a second, each of which goes to every client
ROUNDS: Final = 3
AT_ONCE: Final = 500


class ByWorkers(Struct, frozen=True):
    """With so many workers: the rate of single reports in a closed loop; then milliseconds of acknowledgements in an
    open loop, of the overview and of /metrics; the memory in MB."""

    rate: Spread
    ack: Quantiles
    overview: Spread
    scrape: Spread
    memory: float


def by_workers(workers: int, rate: float, seconds: int) -> ByWorkers:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        reports = sample(max(20_000, workers), workers)
        with service(folder / "closed.duckdb") as side:
            file = script(folder, "reports", encoded(reports))
            rates = [wrk(side, file, max(1, seconds // ROUNDS), 64).rate for _ in range(ROUNDS)]
        with Serving(folder / "open.duckdb") as serving:
            for start in range(0, max(1_000, workers), AT_ONCE):
                serving.post(reports[start : start + AT_ONCE])
            load = under_load(serving, Options(rate, seconds, workers=workers))
            overview, scrape = (
                spread([_milliseconds(serving, path, reports[:1]) for _ in range(ROUNDS)])
                for path in ("/api/errors?time_range=24", "/metrics")
            )
            return ByWorkers(spread(rates), load.ack, overview, scrape, serving.memory() / 1e6)


def _milliseconds(serving: Serving, path: str, news: list[dict[str, Any]]) -> float:
    """Returns how long a read takes after a new error, so that no kept answer is given."""
    serving.post(news)
    return 1000 * serving.get(path)[0]


class ByClients(Struct, frozen=True):
    """With so many WebSocket clients: messages and megabytes a second that all but one of them got; milliseconds of
    acknowledgements, and from the receipt of an error until that one, which gets each error in a message of its own,
    had it."""

    messages: float
    megabytes: float
    closed: int
    ack: Quantiles
    websocket: Quantiles


def by_clients(clients: int, seconds: int) -> ByClients:
    with tempfile.TemporaryDirectory() as name, Serving(Path(name, "errors.duckdb")) as serving:
        load = under_load(serving, Options(CLIENTS_RATE, seconds, listeners=clients - 1))
    return ByClients(load.updates, load.update_bytes / 1e6, load.closed, load.ack, load.websocket)


def with_series(rate: float, seconds: int) -> Load:
    """Returns a load during which /metrics, with about `SERIES` series, is read once a second."""
    workers = 250
    with tempfile.TemporaryDirectory() as name, Serving(Path(name, "errors.duckdb")) as serving:
        reports = sample(20_000, workers)
        for start in range(0, len(reports), AT_ONCE):
            serving.post(reports[start : start + AT_ONCE])
        return under_load(serving, Options(rate, seconds, scrape_every=1.0, workers=workers))
