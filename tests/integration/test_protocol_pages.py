"""The commands of the pages about other protocols run as they stand there, except for the port; their numbers are those of
the code."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sdks
from conftest import ROOT, Served

from exporter.http import foreign_reports, sentry
from exporter.protocols import bounds, junit_xml, sentry_traceback
from exporter.protocols.sentry import REASONS

pytestmark = pytest.mark.dashboard
PAGES = ("protocols", "sentry", "opentelemetry", "junit", "alerts-in")
AMTOOL = shutil.which("amtool")


def page(name: str) -> str:
    return (ROOT / f"docs/{name}.md").read_text("utf-8")


def block(name: str, language: str, number: int = 0) -> str:
    return re.findall(rf"```{language}\n(.*?)```", page(name), flags=re.DOTALL)[number]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    served = Served(tmp_path_factory.mktemp("pages") / "errors.duckdb")
    yield served
    assert served.stop() == 0


def errors(running: Served, worker: str) -> list[Any]:
    return running.get(f"/api/errors/list?time_range=168&worker={worker}")["errors"]


def at(running: Served, text: str) -> str:
    assert "localhost:8080" in text
    return text.replace("localhost:8080", running.url.removeprefix("http://"))


def run(command: list[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize(("name", "worker"), [("sentry", "gpu-node-3"), ("opentelemetry", "gpu-node-5")])
def test_the_program_of_a_page_reports_an_error(running: Served, tmp_path: Path, name: str, worker: str) -> None:
    (tmp_path / "example.py").write_text(at(running, block(name, "python")))
    run([sys.executable, "example.py"], tmp_path)
    (error,) = errors(running, worker)
    assert error["type"] == "RuntimeError"
    assert error["message"] == "CUDA out of memory. Tried to allocate 2.00 GiB"
    assert error["severity"] == "critical"


@pytest.mark.skipif(not sdks.has_node(), reason=sdks.MISSING)
def test_the_program_for_node_reports_an_error(running: Served, tmp_path: Path) -> None:
    (tmp_path / "example.cjs").write_text(at(running, block("sentry", "js")))
    sdks.run("example.cjs", folder=tmp_path)
    assert [one["message"] for one in errors(running, "node-7")] == ["no device 7"]


def test_the_commands_for_junit_report_results(running: Served, tmp_path: Path) -> None:
    (tmp_path / "test_load.py").write_text(
        "def test_good():\n    pass\n\n\ndef test_bad():\n    raise ValueError('no device')\n"
    )
    command = block("junit", "sh").replace("pytest", f"{sys.executable} -m pytest -q -p no:cacheprovider")
    answer = json.loads(run(["sh", "-c", at(running, command)], tmp_path).splitlines()[-1])
    shown = json.loads(block("junit", "json"))
    assert answer["data"] | {"stored": []} == shown["data"] | {"stored": []}
    (error,) = errors(running, "ci-1")
    assert error["type"] == "ValueError"
    report = running.get(f"/api/errors/{error['id']}")["report"]
    assert report["test"]["id"] == "test_load.py::test_bad"
    assert report["run"] == {"id": "4711", "job": "nightly", "commit": "1f3a9c2d4e"}


def test_the_command_for_alerts_stores_one(running: Served, tmp_path: Path) -> None:
    answer = json.loads(
        run(["sh", "-c", at(running, block("alerts-in", "sh")).replace("curl", "curl -s", 1)], tmp_path)
    )
    assert answer["status"] == "success"
    assert [one["message"] for one in errors(running, "gpu-3")] == ["XID 79 on gpu-3"]


@pytest.mark.skipif(not AMTOOL, reason="amtool is not installed")
def test_the_configuration_of_alertmanager_is_one(tmp_path: Path) -> None:
    (tmp_path / "alertmanager.yml").write_text(block("alerts-in", "yaml"))
    run([str(AMTOOL), "check-config", "alertmanager.yml"], tmp_path)


@pytest.mark.parametrize(
    ("name", "words", "value"),
    [
        ("protocols", "# levels deep", bounds.MAX_DEPTH),
        ("protocols", "# items of an object or list", bounds.MAX_ITEMS),
        ("protocols", "# characters of a text", bounds.MAX_TEXT),
        ("protocols", "# values and", bounds.MAX_VALUES),
        ("protocols", "# characters in all", bounds.MAX_CHARACTERS),
        ("sentry", "of a chain the last #", sentry_traceback.MAX_EXCEPTIONS),
        ("sentry", "of a stack # frames", sentry_traceback.MAX_FRAMES),
        ("sentry", "waits up to # s for room", foreign_reports.WAIT_SECONDS),
        ("sentry", "`X-Sentry-Rate-Limits: #:error:organization:queue_full`", sentry.FULL_SECONDS),
        ("junit", "A text of more than # characters", junit_xml.MAX_TEXT),
        ("junit", "read # levels deep", junit_xml.MAX_DEPTH),
        ("junit", "more than # results in one file", junit_xml.MAX_CASES),
    ],
)
def test_the_numbers_of_the_pages_are_those_of_the_code(name: str, words: str, value: float) -> None:
    before, _, after = words.partition("#")
    text = " ".join(page(name).split())
    assert f"{before}{value:,.0f}{after}" in text


def test_every_reason_of_a_loss_is_explained() -> None:
    table = page("sentry").partition("## What an SDK loses")[2]
    assert set(re.findall(r"`(\w+)`", table.partition("| Reason |")[2])) - {"os"} >= set(REASONS)


def test_links_lead_somewhere() -> None:
    for name in PAGES:
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page(name)):
            assert (ROOT / "docs" / link).exists(), f"{name}: {link}"
