"""The command `junit`: what the service has of the files that it sends, what it says, and its exit status. A service
that records gives the answers that the real one gives only in a bad moment."""

import re
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, Served, free_port
from error_visualization.cli import main
from keys import make_token
from recording import Recording, recording
from runs_read import run_ids, summaries

pytestmark = pytest.mark.dashboard
TOKEN = "evt_" + "a" * 40
Send = Callable[..., int]


def suite(*failing: str, good: str = "good") -> str:
    cases = "".join(f'<testcase name="{name}"><failure message="{name} is bad"/></testcase>' for name in failing)
    return f'<testsuites><testsuite name="s"><testcase name="{good}"/>{cases}</testsuite></testsuites>'


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    made = Served(tmp_path_factory.mktemp("junit") / "errors.duckdb", "--max-body-bytes", "200000")
    yield made
    made.stop()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("URL", "TOKEN", "TOKEN_FILE"):
        monkeypatch.delenv(f"ERROR_VISUALIZATION_{name}", raising=False)
    monkeypatch.setenv("ERROR_VISUALIZATION_WORKER_ID", "machine-1")
    monkeypatch.setenv("ERROR_VISUALIZATION_RUN_ID", tmp_path.name)
    monkeypatch.setenv("ERROR_VISUALIZATION_RUN_BRANCH", "main")
    (tmp_path / "build" / "deep").mkdir(parents=True)
    (tmp_path / "build" / "TEST-a.xml").write_text(suite("a"))
    (tmp_path / "build" / "deep" / "TEST-b.xml").write_text(suite("b", "c", good="fine"), "utf-16")
    (tmp_path / "build" / "pom.xml").write_text("<project/>")
    (tmp_path / "bad.xml").write_text("nonsense")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def send(service: Served, folder: Path) -> Send:
    """Returns a function that runs the command for the real service."""
    return lambda *arguments: main(["junit", *arguments, "--error-dashboard", service.url])


@pytest.fixture
def failed(service: Served, folder: Path) -> Callable[[], list[str]]:
    """Returns a function that returns the tests of the errors of this test's run, sorted."""

    def failed() -> list[str]:
        errors = service.get(f"/api/errors/list?time_range=24&limit=1000&run={folder.name}")["errors"]
        return sorted(service.get(f"/api/errors/{error['id']}")["report"]["test"]["id"] for error in errors)

    return failed


def test_a_file_arrives_with_its_worker_and_run(
    send: Send, service: Served, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert send("build/TEST-a.xml") == 0
    said = capsys.readouterr().err
    assert (
        said == "error-visualization junit: build/TEST-a.xml: was accepted: 1 passed, 1 failed, 0 skipped, 0 errors\n"
    )
    (error,) = service.get(f"/api/errors/list?run={folder.name}&branch=main")["errors"]
    assert (error["worker_id"], error["message"]) == ("machine-1", "a is bad")
    (summary,) = summaries(service, folder.name)
    assert summary["run"] == {"id": folder.name, "branch": "main"}
    assert summary["complete"] is True
    assert summary["workers"] == {"machine-1": {"passed": ["good"], "failed": ["a"], "skipped": [], "errors": []}}
    assert summary["counts"] == {"passed": 1, "failed": 1, "skipped": 0, "errors": 0}
    assert summary["worker_id"].startswith("machine-1/junit-")


@pytest.mark.parametrize(
    ("arguments", "tests"),
    [
        (["build"], "abc"), (["**/TEST-*.xml"], "abc"), (["build/TEST-a.xml", "build/*.xml"], "ap"),
        (["build/TEST-a.xml"] * 2, "a"),
    ],
)  # fmt: skip
def test_folders_and_patterns(
    send: Send, service: Served, folder: Path, failed: Callable[[], list[str]], arguments: list[str], tests: str
) -> None:
    (folder / "build" / "pom.xml").write_text(suite("p", good="nice") if "build/*.xml" in arguments else "<project/>")
    assert send(*arguments) == 0
    assert failed() == list(tests)
    found = summaries(service, folder.name)
    assert len(found) == (1 if tests == "a" else 2)
    assert sorted(test for one in found for test in one["workers"]["machine-1"]["failed"]) == list(tests)


def test_a_file_that_is_sent_again_counts_once(send: Send, service: Served, folder: Path, failed: Any) -> None:
    assert [send("build"), send("build")] == [0, 0]
    assert failed() == ["a", "b", "c"]
    counts: Counter[str] = Counter()
    for one in summaries(service, folder.name):
        counts.update(one["counts"])
    assert counts == Counter(passed=2, failed=3)


def test_without_a_run_only_errors_arrive(
    send: Send, service: Served, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ERROR_VISUALIZATION_RUN_ID")
    monkeypatch.delenv("ERROR_VISUALIZATION_RUN_BRANCH")
    monkeypatch.setattr("error_visualization.context.run", lambda environ: None)  # also on a machine of a CI system
    runs = run_ids(service)
    assert send("build/TEST-a.xml", "--worker-id", "machine-2") == 0
    (error,) = service.get("/api/errors/list?worker=machine-2")["errors"]
    assert "run" not in service.get(f"/api/errors/{error['id']}")["report"]
    assert run_ids(service) == runs


def test_a_folder_has_files_of_any_encoding(folder: Path) -> None:
    from error_visualization.junit.files import named

    assert named(["build"]) == (["build/TEST-a.xml", "build/deep/TEST-b.xml"], [])


def test_standard_input(service: Served, folder: Path, failed: Any) -> None:
    command = [sys.executable, "-m", "error_visualization", "junit", "-", "--error-dashboard", service.url]
    done = subprocess.run(command, input=suite("d"), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert "standard input: was accepted" in done.stderr
    assert failed() == ["d"]


def test_one_bad_file_is_named_and_the_others_are_sent(
    send: Send, folder: Path, failed: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "long.xml").write_text(suite("x" * 200_000))
    assert send("nothing.xml", "bad.xml", "long.xml", "build/TEST-a.xml", "reports/**/*.xml") == 1
    said = capsys.readouterr().err
    assert "nothing.xml: no JUnit XML file" in said
    assert "bad.xml: was refused with 400: not XML: " in said
    assert "long.xml: was refused with 413: " in said
    assert "reports/**/*.xml: no JUnit XML file" in said
    assert failed() == ["a"]


def test_a_file_that_ends_early_is_said(
    send: Send, service: Served, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "short.xml").write_text(suite("a", "b").partition("</testsuite>")[0])
    assert send("short.xml") == 0
    assert "1 passed, 2 failed, 0 skipped, 0 errors; the XML ends early: " in capsys.readouterr().err
    assert summaries(service, folder.name)[0]["complete"] is False


def test_a_service_without_the_path(service: Served, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["junit", "build/TEST-a.xml", "--error-dashboard", service.url + "/elsewhere"]) == 1
    assert "was refused with 404: this service has no /api/junit; is the URL right" in capsys.readouterr().err


def test_the_status_of_the_tests_is_kept(send: Send, folder: Path) -> None:
    assert send("bad.xml", "--status", "5") == 5
    assert send("build/TEST-a.xml", "--status", "5") == 5
    assert main(["junit", "build/TEST-a.xml", "--status", "5"]) == 5  # no service is named
    assert send("build/TEST-a.xml", "--status", "0") == 0
    assert send("bad.xml", "--status", "0") == 1


def test_without_a_service_or_token(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with recording() as nobody:
        assert main(["junit", "bad.xml"]) == 2
        assert main(["junit", "bad.xml", "--error-dashboard", "dashboard:8080"]) == 2
        assert main(["junit", "bad.xml", "--error-dashboard", nobody.url, "--token-file", "nothing"]) == 2
    said = capsys.readouterr().err
    assert "which service? Give --error-dashboard URL" in said
    assert "--error-dashboard dashboard:8080: expected an address such as http://" in said
    assert "the token cannot be read" in said
    assert nobody.requests == []


def test_a_service_that_needs_a_token(
    served: Callable[..., Served], folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "token").write_text(make_token(folder, "ci", "report") + "\n")
    command = ["junit", "build/TEST-a.xml", "--error-dashboard", served().url]
    assert main(command) == 1
    assert "was refused with 401: " in capsys.readouterr().err
    assert main([*command, "--token-file", "token"]) == 0
    monkeypatch.setenv("ERROR_VISUALIZATION_TOKEN", TOKEN)
    assert main(command) == 1


@pytest.fixture
def scripted(folder: Path) -> Iterator[Recording]:
    with recording() as made:
        yield made


def test_the_token_is_sent(scripted: Recording, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "token").write_text(TOKEN + "\n")
    monkeypatch.setenv("ERROR_VISUALIZATION_URL", scripted.url + "/")
    assert main(["junit", "build/TEST-a.xml"]) == 0
    assert main(["junit", "build/TEST-a.xml", "--token-file", "token"]) == 0
    monkeypatch.setenv("ERROR_VISUALIZATION_TOKEN", TOKEN)
    assert main(["junit", "build/TEST-a.xml"]) == 0
    assert scripted.authorizations == [None, f"Bearer {TOKEN}", f"Bearer {TOKEN}"]


def test_a_busy_service_is_asked_again_with_the_same_key(scripted: Recording, folder: Path) -> None:
    scripted.answers = [503, (429, {"Retry-After": "1"}), 502]
    began = time.monotonic()
    assert main(["junit", "build/TEST-a.xml", "--error-dashboard", scripted.url]) == 0
    assert time.monotonic() - began > 1
    path = f"/api/junit?worker=machine-1&run={folder.name}&branch=main"
    assert scripted.requests == [(path, suite("a"))] * 4
    assert len({headers["idempotency-key"] for headers in scripted.headers}) == 1


@pytest.mark.parametrize("status", [400, 401, 413, 500])
def test_what_is_refused_is_not_tried_again(
    scripted: Recording, folder: Path, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    scripted.answers = [status]
    assert main(["junit", "build/TEST-a.xml", "--error-dashboard", scripted.url]) == 1
    assert len(scripted.requests) == 1
    assert f"was refused with {status}: no" in capsys.readouterr().err


def test_failures_that_the_service_refused_are_said(
    scripted: Recording, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    counts = {"passed": 1, "failed": 2, "skipped": 0, "errors": 0}
    refused = [{"index": 1, "message": "worker_id: not yours", "field": "worker_id"}]
    scripted.answers = [lambda _: {"status": "success", "data": {"counts": counts, "stored": [1], "refused": refused}}]
    assert main(["junit", "build/TEST-a.xml", "--error-dashboard", scripted.url]) == 0
    assert "1 passed, 2 failed, 0 skipped, 0 errors; not all failures were stored: worker_id: not yours" in (
        capsys.readouterr().err
    )


def test_a_service_that_is_away_is_waited_for(
    served: Callable[..., Served], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    started = time.monotonic()
    assert main(["junit", "build/TEST-a.xml", "--error-dashboard", url, "--wait", "0.3"]) == 1
    assert time.monotonic() - started < 20
    assert "was not sent: the service does not answer" in capsys.readouterr().err
    status: list[int] = []
    command = ["junit", "build/TEST-a.xml", "--error-dashboard", url]
    thread = threading.Thread(target=lambda: status.append(main(command)))
    thread.start()
    service = served(port=port)
    thread.join(30)
    assert status == [0]
    assert len(service.get("/api/errors/list")["errors"]) == 1


def test_the_commands_of_the_page(service: Served, folder: Path, failed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (ROOT / "docs" / "junit.md").read_text("utf-8")
    sending, handing = (
        text for text in re.findall(r"```sh\n(.*?)```", page, re.DOTALL) if "visualization junit" in text
    )
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{Path('/usr/bin')}:/bin")
    (folder / "build" / "test-results").mkdir()
    (folder / "run-tests").write_text("exit 7\n")
    for number, command in enumerate([*sending.strip().splitlines(), handing]):
        for file in (folder / "build" / "test-results" / "TEST-c.xml", folder / "report.xml"):
            file.write_text(suite(f"t{number}"))
        assert "http://localhost:8080" in command
        command = command.replace("http://localhost:8080", service.url)
        done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == (7 if command.startswith("sh run-tests") else 0), done.stderr
        assert f"t{number}" in failed()
