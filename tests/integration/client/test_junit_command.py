"""The command `junit`: which files it sends, what it says, and its exit status."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import free_port
from error_visualization.cli import main
from standin import Front, front

pytestmark = pytest.mark.dashboard
SUITE = '<testsuites><testsuite name="s"><testcase name="a"/><testcase name="b"><failure/></testcase></testsuite></testsuites>'
TOKEN = "evt_" + "a" * 40


@pytest.fixture
def way(monkeypatch: pytest.MonkeyPatch) -> Iterator[Front]:
    for name in ("URL", "TOKEN", "TOKEN_FILE"):
        monkeypatch.delenv(f"ERROR_VISUALIZATION_{name}", raising=False)
    monkeypatch.setenv("ERROR_VISUALIZATION_WORKER_ID", "machine-1")
    monkeypatch.setenv("ERROR_VISUALIZATION_RUN_ID", "nightly-7")
    monkeypatch.setenv("ERROR_VISUALIZATION_RUN_BRANCH", "main")
    with front("http://127.0.0.1:9") as made:
        yield made


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "build" / "deep").mkdir(parents=True)
    (tmp_path / "build" / "TEST-a.xml").write_text(SUITE)
    (tmp_path / "build" / "deep" / "TEST-b.xml").write_text(SUITE, "utf-16")
    (tmp_path / "build" / "pom.xml").write_text("<project/>")
    (tmp_path / "bad.xml").write_text("<testsuite")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_file_arrives_with_its_worker_and_run(way: Front, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["junit", "build/TEST-a.xml", "--error-dashboard", way.url + "/"]) == 0
    assert way.junit == [({"worker": "machine-1", "run": "nightly-7", "branch": "main"}, SUITE)]
    assert capsys.readouterr().err == "error-visualization junit: build/TEST-a.xml: was accepted: tests 2\n"
    assert "authorization" not in way.headers[0]


@pytest.mark.parametrize(
    ("arguments", "count"),
    [(["build"], 1), (["**/TEST-*.xml"], 2), (["build/TEST-a.xml", "build/*.xml"], 2), (["build/TEST-a.xml"] * 2, 1)],
)
def test_folders_and_patterns(way: Front, folder: Path, arguments: list[str], count: int) -> None:
    (folder / "build" / "deep" / "TEST-b.xml").write_text(SUITE if count == 2 else "<other/>")
    (folder / "build" / "pom.xml").write_text(SUITE if "build/*.xml" in arguments else "<project/>")
    assert main(["junit", *arguments, "--error-dashboard", way.url]) == 0
    assert len(way.junit) == count


def test_a_folder_has_files_of_any_encoding(way: Front, folder: Path) -> None:
    from error_visualization.junit.files import named

    assert named(["build"]) == (["build/TEST-a.xml", "build/deep/TEST-b.xml"], [])


def test_standard_input(way: Front, folder: Path) -> None:
    command = [sys.executable, "-m", "error_visualization", "junit", "-", "--error-dashboard", way.url]
    done = subprocess.run(command, input=SUITE, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert "standard input: was accepted" in done.stderr
    assert len(way.junit) == 1


def test_one_bad_file_is_named_and_the_others_are_sent(
    way: Front, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = ["nothing.xml", "bad.xml", "build/TEST-a.xml", "reports/**/*.xml"]
    assert main(["junit", *files, "--error-dashboard", way.url]) == 1
    said = capsys.readouterr().err
    assert "nothing.xml: no JUnit XML file" in said
    assert "bad.xml: was refused with 400: this is no XML" in said
    assert "reports/**/*.xml: no JUnit XML file" in said
    assert len(way.junit) == 1


def test_the_status_of_the_tests_is_kept(way: Front, folder: Path) -> None:
    assert main(["junit", "bad.xml", "--status", "5", "--error-dashboard", way.url]) == 5
    assert main(["junit", "build/TEST-a.xml", "--status", "5", "--error-dashboard", way.url]) == 5
    assert main(["junit", "build/TEST-a.xml", "--status", "5"]) == 5  # no service is named
    assert main(["junit", "build/TEST-a.xml", "--status", "0", "--error-dashboard", way.url]) == 0
    assert main(["junit", "bad.xml", "--status", "0", "--error-dashboard", way.url]) == 1


def test_without_a_service_or_token(way: Front, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["junit", "bad.xml"]) == 2
    assert main(["junit", "bad.xml", "--error-dashboard", "dashboard:8080"]) == 2
    assert main(["junit", "bad.xml", "--error-dashboard", way.url, "--token-file", "nothing"]) == 2
    said = capsys.readouterr().err
    assert "which service? Give --error-dashboard URL" in said
    assert "--error-dashboard dashboard:8080: expected an address such as http://" in said
    assert "the token cannot be read" in said
    assert way.headers == []


def test_the_token_is_sent(way: Front, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "token").write_text(TOKEN + "\n")
    assert main(["junit", "build/TEST-a.xml", "--error-dashboard", way.url, "--token-file", "token"]) == 0
    monkeypatch.setenv("ERROR_VISUALIZATION_TOKEN", TOKEN)
    monkeypatch.setenv("ERROR_VISUALIZATION_URL", way.url)
    assert main(["junit", "build/TEST-a.xml"]) == 0
    assert [headers["authorization"] for headers in way.headers] == [f"Bearer {TOKEN}"] * 2


def test_a_busy_service_is_asked_again_with_the_same_key(way: Front, folder: Path) -> None:
    way.answers = [503, 429, 502]
    assert main(["junit", "build/TEST-a.xml", "--error-dashboard", way.url]) == 0
    assert len(way.headers) == 4
    assert len({headers["idempotency-key"] for headers in way.headers}) == 1


@pytest.mark.parametrize("status", [400, 401, 404, 413, 500])
def test_what_is_refused_is_not_tried_again(
    way: Front, folder: Path, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    way.answers = [status]
    assert main(["junit", "build/TEST-a.xml", "--error-dashboard", way.url]) == 1
    assert len(way.headers) == 1
    assert f"was refused with {status}: " in capsys.readouterr().err


def test_a_service_that_is_away_is_waited_for(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    started = time.monotonic()
    assert main(["junit", "build/TEST-a.xml", "--error-dashboard", url, "--wait", "0.3"]) == 1
    assert time.monotonic() - started < 2
    assert "was not sent: the service does not answer" in capsys.readouterr().err
    status: list[int] = []
    thread = threading.Thread(
        target=lambda: status.append(main(["junit", "build/TEST-a.xml", "--error-dashboard", url]))
    )
    thread.start()
    time.sleep(0.5)
    with front("http://127.0.0.1:9", port) as way:
        thread.join(15)
        assert len(way.junit) == 1
    assert status == [0]
