"""The database of `benchmarks/fill.py` is one that a service could have left: whole, counted and readable."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest
from conftest import ROOT, InProcess

from exporter.cli import main

pytestmark = pytest.mark.dashboard

ERRORS, REAL = 5_037, 1_000  # neither ends with a block of 64 reports


def filled(path: Path) -> str:
    command = [sys.executable, "benchmarks/fill.py", "--errors", str(ERRORS), "--real", str(REAL), str(path)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60).stdout


async def test_a_fill_is_a_database_of_the_service(
    serve: Callable[..., Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "errors.duckdb"
    assert f"{ERRORS} errors in" in filled(path)
    assert "is used again" in filled(path)
    assert main(["check", "--db-path", str(path)]) == 0
    assert "whole" in capsys.readouterr().out
    with duckdb.connect(str(path), read_only=True) as db:
        ((rolled, singles),) = db.execute(
            "SELECT rolled, (SELECT count(*) FROM single_reports) FROM rolled_up"
        ).fetchall()
        ((ids, event_ids, fingerprints, unknown),) = db.execute(
            "SELECT count(DISTINCT id), count(DISTINCT event_id), count(DISTINCT fingerprint), "
            "count(*) FILTER (text NOT IN (SELECT id FROM texts)) FROM errors"
        ).fetchall()
    assert (rolled, singles) == (ERRORS, (ERRORS + 1) % 64)
    assert (ids, event_ids, unknown) == (ERRORS, ERRORS, 0)
    assert 300 < fingerprints < 400

    service: InProcess = await serve()
    overview = await service.get("/api/errors", time_range=168)
    assert overview["summary"]["total_errors"] == ERRORS
    patterns = (await service.get("/api/patterns", time_range=168, limit=1000))["patterns"]
    assert len(patterns) > 300
    assert sum(pattern["occurrences"] for pattern in patterns) == ERRORS
    for id_ in (1, REAL, REAL + 1, REAL + 63, 4_000, ERRORS - 100, ERRORS):
        error = await service.get(f"/api/errors/{id_}")
        assert [error["report"][name][:23] for name in SAME] == [error[name][:23] for name in SAME], id_
    assert (await service.post())["id"] == ERRORS + 1


SAME = ("event_id", "worker_id", "timestamp", "type", "message")  # up to the milliseconds, which errors are shown with
