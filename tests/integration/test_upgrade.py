"""Upgrade from the release before the log (commit 8633bc7), after both of its processes were killed: the new version has
every acknowledged error once, under the same id."""

import os
import random
import signal
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, Served
from crash import listed, seed_of_run
from prometheus_client.parser import text_string_to_metric_families
from upgrade import unpack

pytestmark = pytest.mark.dashboard
KILLS = 6
SETTLE_SECONDS = 15.0


def as_stored(one: dict[str, Any]) -> tuple[Any, ...]:
    """The fields that the list must show for an acknowledged report."""
    report, answer = one["report"], one["answer"]
    return (
        *(answer[key] for key in ("id", "event_id", "severity", "fingerprint")), report["message"], report["worker_id"],
        report.get("type", "UnknownError"), report.get("error_category", "UNKNOWN_ERROR"),
    )  # fmt: skip


def is_whole(service: Served, acknowledged: list[dict[str, Any]]) -> None:
    """Asserts that exactly the acknowledged errors are listed and counted, within SETTLE_SECONDS after the start."""
    expected = [as_stored(one) for one in acknowledged]
    keys = ("id", "event_id", "severity", "fingerprint", "message", "worker_id", "type", "error_category")
    deadline = time.monotonic() + SETTLE_SECONDS
    while len(errors := listed(service)) < len(expected) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert [tuple(error[key] for key in keys) for error in reversed(errors)] == expected
    severities = Counter((severity,) for _, _, severity, *_ in expected)
    series = Counter((category, worker, type_) for *_, worker, type_, category in expected)
    while counters(service, "errors", "category", "worker", "type") != series and time.monotonic() < deadline:
        time.sleep(0.1)
    assert counters(service, "errors", "category", "worker", "type") == series
    assert +counters(service, "errors_by_severity", "severity") == severities
    summary = service.get("/api/errors?time_range=24")["summary"]
    assert summary["total_errors"] == len(acknowledged)
    assert {(name,): summary[f"{name}_errors"] for (name,) in severities} == severities


def counters(service: Served, name: str, *labels: str) -> Counter[tuple[str, ...]]:
    """The values of a counter, by its labels' values."""
    with urllib.request.urlopen(f"{service.url}/metrics", timeout=10) as response:
        families = text_string_to_metric_families(response.read().decode())
    return Counter({
        tuple(sample.labels[label] for label in labels): int(sample.value)
        for family in families if family.name == f"distributed_testing_{name}"
        for sample in family.samples if sample.name.endswith("_total")
    })  # fmt: skip


def repeats_are_known(service: Served, acknowledged: list[dict[str, Any]]) -> None:
    for one in acknowledged:
        if "event_id" in one["report"]:
            assert service.post(one["report"]).items() >= one["answer"].items()


def test_nothing_is_lost_by_an_upgrade(served: Callable[..., Served], tmp_path: Path) -> None:
    acknowledged = unpack(tmp_path)
    service = served()
    is_whole(service, acknowledged)
    repeats_are_known(service, acknowledged)
    report = {
        "worker_id": "worker-1",
        "message": "after",
        "type": "After",
        "error_category": "TEST_AFTER",
        "event_id": "after",
    }
    acknowledged.append({"report": report, "answer": service.post(report)})
    assert acknowledged[-1]["answer"]["id"] == len(acknowledged)
    assert service.stop() == 0
    service = served()
    is_whole(service, acknowledged)
    repeats_are_known(service, acknowledged)
    service.kill()
    is_whole(served(), acknowledged)


def test_an_upgrade_that_is_killed_is_made_again(served: Callable[..., Served], tmp_path: Path) -> None:
    acknowledged = unpack(tmp_path)
    rng = random.Random(seed := seed_of_run())
    print(f"seed {seed}")
    for _ in range(KILLS):
        command = [
            sys.executable,
            "-m",
            "exporter",
            "serve",
            "--port",
            "0",
            "--db-path",
            str(tmp_path / "errors.duckdb"),
        ]
        with subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        ) as process:
            time.sleep(rng.uniform(0.2, 0.8))
            os.killpg(process.pid, signal.SIGKILL)
    service = served()
    is_whole(service, acknowledged)
    repeats_are_known(service, acknowledged)


def test_a_journal_of_another_database_stops_the_start(served: Callable[..., Served], tmp_path: Path) -> None:
    unpack(tmp_path)
    for file in tmp_path.glob("*.duckdb*"):
        if ".journal." not in file.name:
            file.unlink()
    before = {file.name: file.read_bytes() for file in tmp_path.glob("*.journal.*")}
    with pytest.raises(AssertionError, match=r"go on with error \d+ where error 1 is expected"):
        served()
    assert {file.name: file.read_bytes() for file in tmp_path.glob("*.journal.*")} == before
