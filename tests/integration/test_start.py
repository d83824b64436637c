"""Log lines and errors of the command at start and stop."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT, Served

pytestmark = pytest.mark.dashboard


def test_a_missing_folder_is_named_and_created(tmp_path: Path) -> None:
    """The path may be mistyped, but a service has no terminal to ask, so it logs a warning."""
    service = Served(tmp_path / "eror" / "data" / "errors.duckdb", "--log.format", "json")
    try:
        assert service.post({})["id"] == 1
    finally:
        assert service.stop() == 0
    lines = [json.loads(line) for line in service.log]
    assert [(line["level"], line["message"]) for line in lines] == [
        ("warning", f"the folder {tmp_path}/eror/data does not exist and is created"), ("info", "stopping"),
    ]  # fmt: skip


def test_a_folder_that_is_there_is_not_mentioned(tmp_path: Path) -> None:
    service = Served(tmp_path / "errors.duckdb")
    assert service.stop() == 0
    assert [line.partition(" ")[2] for line in service.log] == ["level=info logger=exporter.app message=stopping\n"]


def test_a_folder_that_cannot_be_created_ends_the_service(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = subprocess.run(
        [sys.executable, "-m", "exporter", "serve", "--db-path", str(tmp_path / "file/x/errors.duckdb")],
        capture_output=True, text=True, check=False, cwd=ROOT, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 1
    assert "Not a directory" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
