"""Scrapes of /metrics while reports with new label values, and files that come and go, change what they read: each is
answered with 200 and shows one moment."""

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from conftest import InProcess, samples
from test_metrics import DT, HARDWARE

from exporter.config import Settings
from exporter.metrics import service_metrics
from exporter.service import Service

pytestmark = pytest.mark.dashboard
BATCHES = 40
REPORTS = 50  # in a batch
FORMATS = ("", "application/openmetrics-text; version=1.0.0")


@pytest.fixture
def quick_switches() -> Iterator[None]:
    """Threads change turns as often as the interpreter allows."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def reports(batch: int) -> list[dict[str, Any]]:
    """Each report has a worker, a type and a hardware type that no other has."""
    names = [f"{batch}-{number}" for number in range(REPORTS)]
    return [
        {
            "worker_id": f"w{name}", "type": f"T{name}", "error_category": f"C{name}", "message": "m",
            "system_context": HARDWARE["system_context"], "hardware_context": {"hardware_type": f"H{name}"},
        } for name in names
    ]  # fmt: skip


def total(metrics: dict[str, float], name: str) -> float:
    return sum(value for sample, value in metrics.items() if sample.startswith(f"{DT}{name}{{"))


@pytest.mark.usefixtures("quick_switches")
async def test_scrapes_while_series_are_made(serve: Any) -> None:
    unlimited = {"max_worker_labels": 10_000, "max_type_labels": 10_000}
    service: InProcess = await serve(longest_scrape_interval=0, **unlimited)  # nothing is held at 0
    stored = asyncio.Event()
    seen: list[dict[str, float]] = []

    async def scrape(accept: str) -> None:
        while not stored.is_set():
            async with service.client.get("/metrics", headers={"Accept": accept}) as response:
                text = await response.text()
                assert response.status == 200, text
            if not accept:
                seen.append(samples(text))

    scrapers = [asyncio.create_task(scrape(accept)) for accept in FORMATS * 2]
    try:
        for batch in range(BATCHES):
            async with service.client.post("/api/report-errors", json=reports(batch)) as response:
                assert response.status == 200, await response.text()
            done, _ = await asyncio.wait(scrapers, timeout=0)
            assert not done, done.pop().exception()
    finally:
        stored.set()
        await asyncio.gather(*scrapers, return_exceptions=True)
    await asyncio.gather(*scrapers)
    assert len({total(metrics, "errors_total") for metrics in seen}) > 3  # scrapes and reports took turns
    for metrics in seen:
        errors = total(metrics, "errors_by_severity_total")
        assert total(metrics, "errors_total") == errors
        assert len([name for name in metrics if name.startswith(f"{DT}worker_status{{")]) == errors
    metrics = await service.metrics()
    assert total(metrics, "errors_total") == total(metrics, "hardware_errors_total") == BATCHES * REPORTS


@pytest.mark.parametrize("look", ["exists", "stat"])
def test_a_file_that_vanishes_after_a_look_at_it(look: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """DuckDB's process deletes its write-ahead log at every checkpoint."""
    service = Service(Settings(db_path=str(tmp_path / "errors.duckdb")))
    service.log = SimpleNamespace(path=tmp_path / "errors.duckdb.log")  # type: ignore[assignment]
    wal = tmp_path / "errors.duckdb.wal"
    for file, size in ((service.path, 100), (service.log.path, 10), (wal, 1)):
        file.write_bytes(b"x" * size)
    real = getattr(Path, look)

    def then_vanishes(path: Path, **more: Any) -> Any:
        result = real(path, **more)
        if path == wal:
            wal.unlink()
        return result

    with monkeypatch.context() as patch:
        patch.setattr(Path, look, then_vanishes)
        assert sum(service.sizes()) == 111
    wal.unlink(missing_ok=True)
    assert sum(service.sizes()) == 110


async def test_a_reader_that_overtakes_the_scrape_has_no_negative_lag(service: InProcess) -> None:
    """A scrape reads the end of the log and then the reader's position; a batch may be appended in between."""
    follower = service.service.readers.followers[0]

    class Reader:
        @property
        def position(self) -> int:
            follower._published = 7  # the event loop's turn
            return 7

    follower.reader = Reader()  # type: ignore[assignment]
    parts = service_metrics._Parts(service.service)
    lags = next(family for family in parts.collect() if family.name == f"{DT}reader_lag_events")
    assert {sample.labels["reader"]: sample.value for sample in lags.samples}[follower.name] == 0
