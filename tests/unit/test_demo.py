"""The imagined fleet, and its way to a service."""

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from conftest import InProcess

from exporter import cli
from exporter.demo import command as demo
from exporter.demo import serving
from exporter.demo.asking import DeniedError
from exporter.demo.fleet import story
from exporter.demo.label import LABEL, remove
from exporter.ingest.measurements import measure
from exporter.ingest.parse import parse_report
from exporter.ingest.severity import Classifier, Thresholds, conditions

pytestmark = pytest.mark.dashboard


def first(count: int, seed: int = 1) -> list[Any]:
    return list(itertools.islice(story(seed), count))


def test_a_seed_tells_one_story() -> None:
    assert first(300) == first(300)
    assert first(300) != first(300, seed=2)


def test_every_report_is_in_the_guides_schema_and_in_order() -> None:
    moments = first(500)
    assert [m.seconds for m in moments] == sorted(m.seconds for m in moments)
    for moment in moments:
        assert not parse_report(json.dumps(moment.report, allow_nan=False).encode())[2]
        assert set(moment.report) - {"is_system_critical"} == {
            "worker_id", "type", "error_category", "message", "traceback", "system_context", "hardware_context",
            "error_frequency",
        }  # fmt: skip


def test_it_has_something_of_everything() -> None:
    reports = [parse_report(json.dumps(m.report).encode())[0] for m in first(1000)]
    seen = [conditions(report, recurring=False, thresholds=Thresholds()) for report in reports]
    classify = Classifier(Thresholds()).classify
    judged = [classify(c, measure(report.system_context)[0]) for c, report in zip(seen, reports, strict=True)]
    assert {j.severity for j in judged} == {"critical", "warning", "info"}
    assert any(c.system_critical for c in seen)
    groups = {(r.error_category or "").partition("_")[0] for r in reports}
    assert groups >= {"RESOURCE", "NETWORK", "HARDWARE", "WORKER", "TEST", "UNKNOWN", "COORDINATOR"}
    assert {r.hardware_context.hardware_type for r in reports} == {"cuda", "rocm", "mps", "cpu", "webgpu"}


async def test_it_fills_a_service(service: InProcess) -> None:
    url = str(service.client.make_url("")).rstrip("/")
    sent = await demo.run(url, rate=200, duration=0.5, backlog=250)
    assert sent > 250
    assert (await service.get("/api/errors", time_range=48))["summary"]["total_errors"] == sent
    again = await demo.run(f"{url}/", rate=200, duration=0.0, backlog=50)  # as copied from a browser
    assert again == 50  # the same story once more is news, no repeat
    metrics = await service.metrics()
    assert sum(v for n, v in metrics.items() if "rejected_total" in n) == 0


async def test_it_never_mixes_its_errors_with_others(service: InProcess) -> None:
    url = f"{service.client.make_url('')}"  # with a slash at its end
    labelled = {"rate": 200, "duration": 0.0, "label": LABEL, "among_others": False}
    assert await demo.run(url, backlog=120, **labelled) == 120
    assert await demo.run(url, backlog=30, seed=2, **labelled) == 30  # a database with errors of demos only
    await service.post({"worker_id": "demo-1"})
    with pytest.raises(DeniedError, match="has 1 errors of other workers"):
        await demo.run(url, backlog=30, **labelled)
    assert await demo.run(url, backlog=30, **labelled | {"among_others": True}) == 30
    workers = (await service.get("/api/errors/facets", facet="worker", time_range=48))["worker"]
    assert [one["value"] for one in workers if not one["value"].startswith("demo-fleet/")] == ["demo-1"]


async def test_a_large_fleet_of_a_demo_has_no_errors_of_others(service: InProcess) -> None:
    url = f"{service.client.make_url('')}"
    reports = [{"worker_id": f"{LABEL}{number}", "message": "m"} for number in range(1_100)]
    await service.ask("/api/report-errors", reports[:600])
    await service.ask("/api/report-errors", reports[600:])
    assert await demo.run(url, rate=200, duration=0.0, backlog=30, label=LABEL, among_others=False) == 30


async def test_its_errors_can_be_removed(service: InProcess) -> None:
    url = f"{service.client.make_url('')}"
    await demo.run(url, backlog=60, rate=200, duration=0.0, label=LABEL)
    kept = await service.post({"worker_id": "no demo-fleet/1"})
    pinned = next(one for one in (await service.get("/api/errors/list"))["errors"] if one["id"] != kept["id"])
    await service.ask(f"/api/errors/{pinned['id']}/pin")
    assert await remove(url, {}) == "59 errors of demos deleted; 1 are pinned and stay"
    left = (await service.get("/api/errors/list", time_range=48))["errors"]
    assert {one["id"] for one in left} == {kept["id"], pinned["id"]}


@pytest.mark.parametrize(
    ("options", "file", "expected"),
    [
        ([], "", ["--db-path", "./demo.duckdb"]),
        (["--port", "8081"], "", ["--db-path", "./demo.duckdb"]),
        (["--db-path", "mine.duckdb"], "", []),
        (["--config.file", "FILE"], "db_path: other.duckdb", []),
        (["--config.file", "FILE"], "port: 1", ["--db-path", "./demo.duckdb"]),
        (["--port", "x"], "", []),  # serve says what is wrong
    ],
)
def test_its_own_service_uses_a_database_of_the_demo(
    tmp_path: Path, options: list[str], file: str, expected: list[str]
) -> None:
    (tmp_path / "settings.yml").write_text(file)
    given = [str(tmp_path / "settings.yml") if option == "FILE" else option for option in options]
    assert serving._database(given) == expected


def test_bad_options(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["demo", "--rate", "0"]) == 2
    assert "--rate" in capsys.readouterr().out
