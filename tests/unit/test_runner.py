"""The guide's test commands: each finds its tests, and a report is written."""

import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import run_error_visualization_tests
from conftest import ROOT

RUNNER = ROOT / "tests/run_error_visualization_tests.py"
PLAIN = "--assert=plain"  # to rewrite the assertions of each file takes longer than to run its tests


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(RUNNER), *arguments], capture_output=True, text=True, cwd=ROOT, check=False
    )


def files_of(kind: str) -> set[str]:
    return {str(file.relative_to(ROOT)) for file in (ROOT / "tests").rglob("test_*.py")
            if f"pytest.mark.{kind}" in file.read_text("utf-8")}  # fmt: skip


@pytest.mark.parametrize("kind", ["sound", "severity", "websocket", "dashboard", "html"])
def test_each_type_finds_tests_of_its_own(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What pytest is asked for. To let it load all those files takes as long as half a minute of other tests."""
    asked: list[str] = []
    monkeypatch.setattr(pytest, "main", lambda arguments: asked.extend(arguments) or pytest.ExitCode.OK)
    assert run_error_visualization_tests.main(["--type", kind]) == 0
    assert asked[asked.index("-m") + 1] == kind
    files = {str(Path(one).relative_to(ROOT)) for one in asked if one.endswith(".py")}
    assert files
    assert files_of(kind) <= files


def test_the_command_lists_the_tests_of_a_type_and_no_others() -> None:
    listed = run("--type", "sound", "--collect-only", PLAIN)
    assert listed.returncode == 0, listed.stdout
    files = {line.partition("::")[0] for line in listed.stdout.splitlines() if "::" in line}
    assert "tests/unit/test_sound_files.py" in files
    assert files <= files_of("sound")


def test_every_test_file_has_a_type() -> None:
    files = list((ROOT / "tests").rglob("test_*.py"))
    assert len(files) > 50
    assert len({file.name for file in files}) == len(files)  # pytest imports each by its name alone
    for file in files:
        if file.name not in ("test_runner.py", "test_readme.py"):
            assert "pytestmark = " in file.read_text(), file.name


@pytest.mark.parametrize("form", ["html", "xml"])
def test_a_report_is_written(tmp_path: Path, form: str) -> None:
    done = run("--type", "severity", "--report", "--report-format", form, "--report-dir", str(tmp_path),
               PLAIN, "-k", "test_severity")  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    report = (tmp_path / f"error_visualization_tests.{form}").read_text()
    if form == "xml":
        suite = ET.fromstring(report).find("testsuite")
        assert suite is not None
        assert int(suite.attrib["tests"]) > 50
        assert suite.attrib["failures"] == suite.attrib["errors"] == "0"
    else:
        assert "test_severity.py" in report


@pytest.mark.parametrize(
    ("script", "verb"), [(RUNNER, "make test-report"), (ROOT / "sounds/generate_sound_files.py", "make sounds")]
)
def test_a_missing_package_is_named_with_what_installs_it(script: Path, verb: str, tmp_path: Path) -> None:
    """-S: without site-packages, as after `make run` alone."""
    done = subprocess.run(
        [sys.executable, "-S", script, *(["--out", str(tmp_path)] if "sounds" in verb else [])],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert f"`{verb}` installs it and runs this" in done.stderr
    assert verb in (ROOT / "README.md").read_text()


def test_a_wrong_type_is_refused() -> None:
    assert run("--type", "smell").returncode == 2
