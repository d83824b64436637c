"""Log lines and errors of the command at start and stop."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from conftest import ROOT, Served
from crash import store_process

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


def _started_store(service: "subprocess.Popen[str]") -> psutil.Process:
    """Returns the store process once it runs, which is some 100 ms before it has loaded what it needs."""
    deadline = time.monotonic() + 30
    while not (found := store_process(service.pid)):
        assert time.monotonic() < deadline
        time.sleep(0.001)
    return found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_process_of_the_database_ignores_a_signal_from_its_first_moment(tmp_path: Path, number: int) -> None:
    """Whoever ends the service may send the signal to each of its processes, also while one is still loading Python."""
    command = [sys.executable, "-m", "exporter", "serve", "--port", "0", "--db-path", str(tmp_path / "errors.duckdb")]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            started = _started_store(process)
            started.send_signal(number)
            assert process.stdout
            first = process.stdout.readline()
            serving = store_process(process.pid)
            process.terminate()
            _, said = process.communicate(timeout=30)
        finally:
            process.kill()
    assert first.startswith("database"), said
    assert serving == started, said
    assert process.returncode == 0, said


def test_ctrl_c_while_the_process_of_the_database_starts_is_a_clean_stop(tmp_path: Path) -> None:
    """A terminal sends SIGINT to the whole process group; a process that is still loading Python would die of it."""
    command = [sys.executable, "-m", "exporter", "serve", "--port", "0", "--db-path", str(tmp_path / "errors.duckdb")]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, process_group=0) as process:
        try:
            _started_store(process)
            os.killpg(process.pid, signal.SIGINT)
            _, said = process.communicate(timeout=30)
        finally:
            process.kill()
    assert process.returncode == 0, said
    assert "Traceback" not in said
