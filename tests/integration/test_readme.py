"""The README's commands, run unchanged, except for the port if 8080 is in use."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import ROOT, Served
from test_guide import guides_port

README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


@pytest.fixture
def port() -> Iterator[int]:
    with guides_port() as port:
        yield port


def test_make_run_serves_what_the_readme_says(tmp_path: Path, port: int) -> None:
    """Runs `make run DEMO=1` in the checkout, with its existing environment."""
    db = tmp_path / "errors.duckdb"
    url = f"http://127.0.0.1:{port}"
    arguments = f"--db-path {db} --min-free-bytes 0" + ("" if port == 8080 else f" --port {port}")
    (ROOT / ".venv").mkdir(exist_ok=True)
    process = subprocess.Popen(
        ["make", "run", "DEMO=1", f"ARGS={arguments}"], cwd=ROOT, stdout=subprocess.PIPE, text=True,
        stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip
    try:
        said = ""
        assert process.stdout
        while "metrics " not in said:
            line = process.stdout.readline()
            assert line, said
            said += line
        assert f"{url}/error-visualization" in said
        deadline = time.monotonic() + 60
        total = 0
        while total < 600 and time.monotonic() < deadline:
            with urllib.request.urlopen(f"{url}/api/errors?time_range=48", timeout=10) as response:
                total = json.load(response)["data"]["summary"]["total_errors"]
            time.sleep(0.1)
        assert total >= 600
        with urllib.request.urlopen(f"{url}/error-visualization", timeout=10) as response:
            assert b"Error Visualization" in response.read()
    finally:
        os.killpg(process.pid, signal.SIGINT)
        process.wait(20)
        assert process.stdout
        process.stdout.close()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory):  # type: ignore[no-untyped-def]
    with guides_port() as port:
        served = Served(tmp_path_factory.mktemp("readme") / "errors.duckdb", port=port)
        yield served
        served.stop()


def here(text: str, service: Served) -> str:
    return text.replace("http://127.0.0.1:8080", service.url)


def test_the_curl_commands_and_their_answer(service: Served) -> None:
    commands = [b for b in blocks("sh") if b.startswith("curl")]
    assert len(commands) == 2
    report, reads = commands
    done = subprocess.run(["sh", "-c", here(report, service)], capture_output=True, text=True, check=True)
    answer, shown = json.loads(done.stdout), json.loads(blocks("json")[0])
    assert set(answer["data"]) == set(shown["data"])
    for name in ("id", "severity", "reasons"):
        assert answer["data"][name] == shown["data"][name]
    for command in reads.strip().splitlines():
        done = subprocess.run(["sh", "-c", here(command, service)], capture_output=True, text=True, check=True)
        assert '"status":"success"' in done.stdout or "distributed_testing_errors" in done.stdout, command


def block(start: str) -> str:
    (found,) = [one for one in blocks("sh") if one.startswith(start)]
    return found


@pytest.mark.parametrize(
    ("start", "status", "type_"),
    [
        ("pytest", 1, "AssertionError"),
        ("error-visualization run", 1, "json.decoder.JSONDecodeError"),
        ("import", 0, "RuntimeError"),
    ],
)
def test_the_ways_without_code(service: Served, tmp_path: Path, start: str, status: int, type_: str) -> None:
    (tmp_path / "test_gpu.py").write_text("def test_gpu():\n    assert False, 'no GPU'\n")
    (tmp_path / "example.py").write_text(blocks("python")[0].replace("127.0.0.1:8080", service.url[7:]))
    command = here(block(start), service) if start != "import" else f"{sys.executable} example.py"
    before = service.get("/api/errors")["summary"]["total_errors"]
    environ = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["sh", "-c", command], cwd=tmp_path, env=environ, capture_output=True, check=False, timeout=60
    )
    assert done.returncode == status, done.stderr
    newest = service.get("/api/errors")["recent_errors"][0]
    assert service.get("/api/errors")["summary"]["total_errors"] == before + 1
    assert newest["type"] == type_


def test_links_lead_somewhere() -> None:
    for file in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")):
        for link in re.findall(r"\]\((?!http)([^)#]+)", file.read_text()):
            assert (file.parent / link).exists(), f"{file.name}: {link}"


def test_no_make_verb_is_missing() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for verb in ("run", "test", "lint", "bench", "docs", "dashboards", "sounds", "test-report"):
        assert re.search(rf"^{verb}:", makefile, flags=re.MULTILINE)
