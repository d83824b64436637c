"""Refused reports are counted by reason, and the log names who sent them: once a minute for each sender and reason."""

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from conftest import eventually

from exporter.access.web_config import WebConfig
from exporter.app import make_app
from exporter.config import Settings
from exporter.http import refusals as module
from exporter.http.refusals import Refusal, Refusals
from exporter.log import LogError
from exporter.metrics.error_metrics import ErrorMetrics
from exporter.metrics.service_metrics import ServiceMetrics
from exporter.service import Service
from exporter.store.series import LabelLimits

pytestmark = pytest.mark.dashboard
BODY = b'{"worker_id": "gpu-3", "message": "password=hunter2"}'


@pytest.fixture
def refusals() -> Refusals:
    return Refusals(ServiceMetrics(ErrorMetrics(LabelLimits(), longest_scrape_interval=0)))


def counted(refusals: Refusals, reason: str) -> float | None:
    name = "distributed_testing_reports_rejected_total"
    return refusals._metrics.registry.get_sample_value(name, {"reason": reason})


def test_the_log_names_address_field_and_worker(refusals: Refusals, caplog: pytest.LogCaptureFixture) -> None:
    refusals.add("10.0.0.7", Refusal("invalid_field", "event_id", BODY), 0.0)
    refusals.add("", Refusal("malformed", body=b"{"), 0.0)
    assert caplog.messages == [
        'refused what 10.0.0.7 sent: invalid_field, field "event_id", worker "gpu-3"',
        "refused what an unknown address sent: malformed",
    ]
    assert caplog.records[0].levelno == logging.WARNING


def test_a_flood_of_one_sender_is_two_lines_a_minute(refusals: Refusals, caplog: pytest.LogCaptureFixture) -> None:
    for number in range(6_000):
        refusals.add("10.0.0.7", Refusal("invalid_field", "event_id", BODY), number / 100)
    assert len(caplog.messages) == 1
    refusals.add("10.0.0.8", Refusal("malformed"), 60.0)
    assert caplog.messages[1:] == [
        "refused 5999 more from 10.0.0.7: invalid_field",
        "refused what 10.0.0.8 sent: malformed",
    ]
    assert counted(refusals, "invalid_field") == 6_000


async def test_a_flood_that_is_over_is_counted_within_a_minute(
    serve: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "EVERY_SECONDS", 0.5)
    service = await serve()
    await service.ask("/api/report-errors", [{}] * 5, 400)
    await eventually(lambda: "refused 4 more from 127.0.0.1: invalid_field" in caplog.messages)
    assert sum("refused" in message for message in caplog.messages) == 2


def test_a_flood_of_many_senders_is_bounded(refusals: Refusals, caplog: pytest.LogCaptureFixture) -> None:
    for number in range(5_000):
        refusals.add(f"10.0.{number // 256}.{number % 256}", Refusal("unauthenticated"), 1.0)
    assert len(caplog.messages) == module.MAX_SENDERS
    refusals.add("10.0.0.7", Refusal("unauthenticated"), 61.0)
    assert caplog.messages[module.MAX_SENDERS] == (
        f"refused {5_000 - module.MAX_SENDERS} more from other addresses or for other reasons"
    )
    assert len(refusals._counts) == 1


@pytest.mark.parametrize(
    ("worker", "shown"),
    [
        ('"a\\nlevel=error message=forged"', '"a\\nlevel=error message=forged"'),
        ('"a\\", worker \\"b"', '"a\\", worker \\"b"'),
        ('"\\u202e\\u0000"', '"\\u202e\\u0000"'),
        (f'"{"x" * 10_000}"', f'"{"x" * module.MAX_SHOWN}"'),
    ],
)
def test_no_name_can_forge_a_line(
    worker: str, shown: str, refusals: Refusals, caplog: pytest.LogCaptureFixture
) -> None:
    refusals.add("10.0.0.7\n", Refusal("malformed", "x\ny", b'{"worker_id": %s}' % worker.encode()), 0.0)
    (line,) = caplog.messages
    assert line == f'refused what 10.0.0.7\\n sent: malformed, field "x\\ny", worker {shown}'


@pytest.mark.parametrize("body", [b"", b"[]", b"\xff", b'{"worker_id": 7}', b"[" * 100_000, b'{"worker_id": null}'])
def test_a_report_that_names_no_worker_is_counted_all_the_same(body: bytes, refusals: Refusals) -> None:
    refusals.add("10.0.0.7", Refusal("malformed", body=body), 0.0)
    assert counted(refusals, "malformed") == 1


async def test_a_service_that_cannot_start_leaves_nothing_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else asyncio complains of the task that logs the counts, in whichever test then runs."""

    async def start() -> None:
        raise LogError("another service is running on this database")

    service = Service(Settings(db_path=str(tmp_path / "errors.duckdb")), process=False)
    monkeypatch.setattr(service, "start", start)
    before = asyncio.all_tasks()  # a browser for all tests has one
    with pytest.raises(LogError):
        await web.AppRunner(make_app(service, WebConfig(""))).setup()
    assert asyncio.all_tasks() <= before
