"""Real SDKs, unmodified, report to the real service: each error arrives once, in every compression that they send."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
import sdks
from conftest import InProcess, Served

from exporter.http import foreign_reports
from exporter.ingest.ingest import Ingest, QueueFullError

pytestmark = pytest.mark.dashboard
FAULT = "CUDA error: device-side assert triggered"
Expected = dict[tuple[str, str], list[str]]  # type and message → words of the traceback, in their order

PYTHON: Expected = {
    ("OSError", "no device 7"): ["Traceback (most", "in main", "in open_device", "OSError: no device 7"],
    ("RuntimeError", FAULT): ["KeyError: 'step'", "direct cause", "in train", f"RuntimeError: {FAULT}"],
}
MESSAGES: Expected = {("Message", "the disk is nearly full"): [], ("Message", "lost three of 8 shards"): []}
NODE: Expected = {
    ("TypeError", "no device 7"): ["in openDevice", "TypeError: no device 7"],
    ("RangeError", "training failed"): ["TypeError: no device 8", "direct cause", "in train", "RangeError: training"],
    ("Message", "the disk is nearly full"): ["Message: the disk"],
    ("Message", "x" * 40_000): ["Message: xxx"],  # long enough to be compressed
}
RECORD: Expected = {("LogRecord", "the disk is nearly full"): []}
STACKS: Expected = {("RangeError", "training failed"): ["    at "], ("TypeError", "no device 7"): ["    at "]}

# A sender and its arguments → worker and errors.
SENDERS: list[tuple[tuple[str, ...], str, Expected]] = [
    *((("sentry_python.py", how), "gpu-node-3", PYTHON | MESSAGES) for how in ("none", "gzip", "br")),
    (("sentry_node.cjs",), "node-7", NODE),
    *((("otel_python.py", how), "gpu-node-5", PYTHON | RECORD) for how in ("none", "gzip", "deflate")),
    *(
        (("otel_node.cjs", one, how), "node-8", RECORD | STACKS)
        for one in ("proto", "http")
        for how in ("none", "gzip")
    ),
]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    served = Served(tmp_path_factory.mktemp("sdks") / "errors.duckdb")
    yield served
    assert served.stop() == 0


def listed(running: Served) -> list[int]:
    return [one["id"] for one in running.get("/api/errors/list?limit=500")["errors"]]


@pytest.mark.parametrize(("sender", "worker", "expected"), SENDERS, ids=[" ".join(row[0]) for row in SENDERS])
def test_each_error_of_an_sdk_arrives_once(
    running: Served, sender: tuple[str, ...], worker: str, expected: Expected
) -> None:
    if sender[0].endswith(".cjs") and not sdks.has_node():
        pytest.skip(sdks.MISSING)
    before = set(listed(running))  # not the highest id alone: the newest by its time may have been stored first
    program, *more = sender
    sdks.run(program, running.url, *more)
    errors = [running.get(f"/api/errors/{id_}") for id_ in listed(running) if id_ not in before]
    assert sorted((one["type"], one["message"]) for one in errors) == sorted(expected)
    for one in errors:
        assert one["worker_id"] == worker
        assert not one["warnings"]
        is_warning = one["error_category"] in ("WORKER_GPU_FAULT", "RESOURCE_WARNING") or one["is_recurring"]
        assert one["severity"] == ("warning" if is_warning else "info"), one
        text, at = one["traceback"] or "", 0
        for word in expected[one["type"], one["message"]]:
            at = text.index(word, at)


COUNT = 25
FLOODS = [("flood_python.py", "sentry"), ("flood_python.py", "otel"), ("flood_node.cjs",)]


class Full:
    """A queue that is full until some seconds after it has refused a report."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.is_on, self.refused = True, asyncio.Event()
        real = Ingest.ingest

        async def ingest(one: Ingest, submissions: Any) -> Any:
            if self.is_on:
                self.refused.set()
                raise QueueFullError
            return await real(one, submissions)

        monkeypatch.setattr(Ingest, "ingest", ingest)

    async def ends(self, sending: "asyncio.Task[None]", seconds: float) -> None:
        """Returns when everything was sent."""
        refused = asyncio.create_task(self.refused.wait())
        await asyncio.wait([refused, sending], return_when=asyncio.FIRST_COMPLETED)
        await asyncio.sleep(seconds)
        self.is_on = False
        await sending
        assert refused.done()


async def flood(service: InProcess, sender: tuple[str, ...]) -> None:
    if sender[0].endswith(".cjs") and not sdks.has_node():
        pytest.skip(sdks.MISSING)
    await asyncio.to_thread(sdks.run, sender[0], str(service.client.make_url("")).rstrip("/"), *sender[1:], str(COUNT))


async def stored(service: InProcess) -> list[str]:
    return sorted(one["message"] for one in (await service.get("/api/errors/list", limit="500"))["errors"])


ALL = sorted(f"message {number}" for number in range(COUNT))


@pytest.mark.parametrize("sender", FLOODS, ids=" ".join)
async def test_a_queue_that_is_full_for_a_moment_costs_no_error(
    service: InProcess, sender: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    full = Full(monkeypatch)
    task = asyncio.create_task(flood(service, sender))
    await full.ends(task, 0.5)
    assert await stored(service) == ALL


@pytest.mark.parametrize("sender", [FLOODS[0], FLOODS[2]], ids=" ".join)
async def test_what_an_overload_costs_is_counted(
    service: InProcess, sender: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An SDK of Sentry does not send an event again. It says what it lost itself; we count what we refused."""
    monkeypatch.setattr(foreign_reports, "WAIT_SECONDS", 0.2)
    full = Full(monkeypatch)
    task = asyncio.create_task(flood(service, sender))
    await full.ends(task, 0.3)
    metrics = await service.metrics()
    lost = sum(number for name, number in metrics.items() if "reports_lost_at_client_total" in name)
    network = metrics['distributed_testing_reports_lost_at_client_total{reason="network_error"}']
    rejected = metrics['distributed_testing_reports_rejected_total{reason="queue_full"}']
    messages = await stored(service)
    print(len(messages), lost, network, rejected)
    assert len(messages) == len(set(messages))
    assert rejected > 0
    assert len(messages) + lost - network + rejected == COUNT  # a refused one may be lost at the client, too
