"""The plugin in runs that end badly: pytest itself dies, workers die where no test runs, options are wrong."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import Served
from error_visualization import Reporter
from error_visualization.cli import main
from error_visualization.pytest_plugin.outcomes import Outcomes
from pytest_suite import PLUGINS, deliver, outcomes, run
from recording import recording
from runs_read import summaries

pytestmark = pytest.mark.dashboard
Try = Callable[..., tuple[int, str]]
Said = Callable[[], list[dict[str, Any]]]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    made = Served(tmp_path_factory.mktemp("plugin") / "errors.duckdb")
    yield made
    made.stop()


@pytest.fixture
def attempt(service: Served, tmp_path: Path) -> Try:
    """Returns a function that runs pytest on files; the run's id is the name of the test's folder."""

    def attempt(*flags: str, **files: str) -> tuple[int, str]:
        folder = tmp_path / "suite"
        folder.mkdir(exist_ok=True)
        (folder / "pytest.ini").write_text("[pytest]\naddopts = -p no:cacheprovider\n")
        for name, text in files.items():
            (folder / f"{name}.py").write_text(text)
        return run(folder, service.url, *flags, ERROR_VISUALIZATION_RUN_ID=tmp_path.name)

    return attempt


@pytest.fixture
def reports(service: Served, tmp_path: Path) -> Callable[[], list[dict[str, Any]]]:
    """Returns a function that returns the reports of this test's runs, the oldest first."""

    def reports() -> list[dict[str, Any]]:
        errors = service.get("/api/errors/list?time_range=24&limit=1000")["errors"]
        found = [service.get(f"/api/errors/{error['id']}")["report"] for error in reversed(errors)]
        return [report for report in found if report["run"]["id"] == tmp_path.name]

    return reports


@pytest.fixture
def said_of_run(service: Served, tmp_path: Path) -> Said:
    """Returns a function that returns the summaries of this test's run, one for each sender."""
    return lambda: summaries(service, tmp_path.name)


def test_pytest_itself_is_killed(
    attempt: Try, service: Served, said_of_run: Said, reports: Any, tmp_path: Path
) -> None:
    suite = """
import os, signal
def test_a(): assert 0
def test_b(): assert 0
def test_c(): os.kill(os.getpid(), signal.SIGKILL)
"""
    status, said = attempt("-pno:xdist.plugin", test_it=suite)
    assert status == -9, said
    assert deliver(tmp_path / "suite", service.url)
    assert sorted(report["test"]["id"] for report in reports()) == ["test_it.py::test_a", "test_it.py::test_b"]
    (summary,) = said_of_run()
    assert (summary["complete"], summary["finished_at"]) == (False, None)


def test_a_worker_dies_while_it_collects(attempt: Try, said_of_run: Said, reports: Any) -> None:
    code = "import os\nif 'PYTEST_XDIST_WORKER' in os.environ: os._exit(7)\ndef test_a(): pass"
    status, said = attempt("-n", "1", "--max-worker-restart=0", test_it=code)
    assert status != 0, said
    crashed = [report for report in reports() if report["type"] == "WorkerExited"]
    assert [report["cause"]["exit_code"] for report in crashed] == [7]
    assert "test" not in crashed[0]
    assert crashed[0]["message"] == "pytest worker gw0 ended without a word with exit code 7"
    assert said_of_run()[0]["complete"] is False


def test_a_run_that_lost_its_only_worker_is_not_complete(attempt: Try, said_of_run: Said, reports: Any) -> None:
    suite = "import os\ndef test_a(): pass\ndef test_b(): os.abort()\ndef test_c(): pass\ndef test_d(): pass"
    attempt("-n", "1", "--max-worker-restart=0", test_it=suite)
    assert [(report["type"], report["cause"]["signal"]) for report in reports()] == [("WorkerKilled", "SIGABRT")]
    (summary,) = said_of_run()
    assert summary["complete"] is False
    assert outcomes(summary) == {"test_it.py::test_a": "passed", "test_it.py::test_b": "errors"}


def test_a_worker_dies_when_its_tests_are_over(attempt: Try, said_of_run: Said, reports: Any) -> None:
    """Its `workeroutput` is missing then."""
    conftest = (
        "import os\ndef pytest_sessionfinish(session):\n    if hasattr(session.config, 'workerinput'): os._exit(9)"
    )
    status, said = attempt("-n", "1", "--max-worker-restart=0", conftest=conftest, test_it="def test_a(): pass")
    assert [(report["type"], report["cause"]["exit_code"]) for report in reports()] == [("WorkerExited", 9)], said
    assert outcomes(said_of_run()[0]) == {"test_it.py::test_a": "passed"}
    assert "INTERNALERROR" not in said
    assert status in (0, 1, 2)


def test_collection_errors_are_reported_once(attempt: Try, said_of_run: Said, reports: Any) -> None:
    files = {
        "test_import": "import nothing_like_this",
        "test_syntax": "def test_a(:\n",
        "test_good": "def test_a(): pass",
    }
    status, said = attempt("-n", "2", "--continue-on-collection-errors", **files)
    assert status == 1, said
    found = {report["test"]["id"]: report for report in reports()}
    assert sorted((test, report["type"]) for test, report in found.items()) == [
        ("test_import.py", "ModuleNotFoundError"), ("test_syntax.py", "SyntaxError")]  # fmt: skip
    assert len(reports()) == 2
    assert "nothing_like_this" in found["test_import.py"]["message"]
    assert outcomes(said_of_run()[0])["test_import.py"] == "errors"


@pytest.mark.skipif(pytest.version_tuple < (9, 0), reason="pytest has subtests since 9.0")
@pytest.mark.parametrize("flags", [("-pno:xdist.plugin",), ("-n", "1")])
def test_failed_subtests_are_reported_and_their_test_is_not(
    attempt: Try, said_of_run: Said, reports: Any, flags: Any
) -> None:
    suite = """
def test_sub(subtests):
    for i in range(3):
        with subtests.test(msg="odd", i=i):
            assert i % 2 == 0
def test_both(subtests):
    with subtests.test():
        raise KeyError("in a subtest")
    raise ValueError("after it")
"""
    status, said = attempt(*flags, test_it=suite)
    assert status == 1, said
    assert [(report["test"]["id"], report["type"], report["pytest"].get("subtest")) for report in reports()] == [
        ("test_it.py::test_sub", "AssertionError", {"message": "odd", "parameters": {"i": "1"}}),
        ("test_it.py::test_both", "KeyError", {"message": None, "parameters": {}}),
        ("test_it.py::test_both", "ValueError", None),
    ]
    assert said_of_run()[0]["counts"] == {"passed": 0, "failed": 2, "skipped": 0, "errors": 0}


def test_several_sessions_of_one_run_have_a_summary_each(attempt: Try, said_of_run: Said) -> None:
    for _ in range(2):
        status, said = attempt(test_it="def test_a(): pass")
        assert status == 0, said
    assert len(said_of_run()) == 2
    assert len({summary["run"]["id"] for summary in said_of_run()}) == 1


def test_a_run_that_its_junit_file_reports_too_counts_twice(
    attempt: Try, service: Served, said_of_run: Said, reports: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As docs/junit.md says."""
    status, said = attempt("--junitxml=own.xml", test_it="def test_a(): pass\ndef test_b(): assert 0")
    assert status == 1, said
    monkeypatch.setenv("ERROR_VISUALIZATION_RUN_ID", tmp_path.name)
    assert main(["junit", str(tmp_path / "suite" / "own.xml"), "--error-dashboard", service.url]) == 0
    assert [report["test"]["id"] for report in reports()] == ["test_it.py::test_b"] * 2
    plugin, file = (outcomes(summary) for summary in said_of_run())
    assert plugin == file == {"test_it.py::test_a": "passed", "test_it.py::test_b": "failed"}


def test_the_summary_of_many_tests_arrives_whole(service: Served, tmp_path: Path) -> None:
    """A report may not have that many values."""
    found = Outcomes()
    for number in range(30_000):
        found.add(f"gw{number % 2}", f"test_it.py::test_a[{number}]", "failed" if number % 100 == 0 else "passed")
    body = {"run": {"id": tmp_path.name}, "worker_id": "machine-1", **found.summary()}
    reporter = Reporter(service.url, spool=tmp_path / "spool", block=10.0)  # the machine may be busy
    assert reporter.post("/api/runs", body)
    assert reporter.flush(30)
    reporter.close()
    tests, after = set(), 0
    while after is not None:
        page = service.get(f"/api/runs/{tmp_path.name}?limit=1000&after={after}&outcome=failed&outcome=passed")
        tests |= {(test["worker"], test["test"], test["outcome"]) for test in page["tests"]}
        after = page["next_after"]
    sent = {(worker, test, name) for worker, lists in body["workers"].items() for name in lists for test in lists[name]}
    assert tests == sent
    assert page["summary"]["outcomes"] == {
        "passed": 29_700, "failed": 300, "skipped": 0, "errors": 0, "failure_rate": 0.01}  # fmt: skip


def test_an_error_inside_of_pytest_is_reported(attempt: Try, reports: Any) -> None:
    conftest = (
        "def pytest_runtest_setup(item): pass\ndef pytest_collection_modifyitems(items): raise KeyError('broken hook')"
    )
    status, said = attempt(conftest=conftest, test_it="def test_a(): pass")
    assert status == 3, said
    (report,) = reports()
    assert (report["type"], report["message"]) == ("InternalError", "pytest: KeyError: 'broken hook'")
    assert "pytest_collection_modifyitems" in report["traceback"]


def test_a_fault_of_the_plugin_fails_no_test(attempt: Try, said_of_run: Said) -> None:
    conftest = """
import pytest
from error_visualization.pytest_plugin import failure, session
def broken(report): raise ValueError("a fault of the plugin")
@pytest.hookimpl(trylast=True)
def pytest_configure(config):
    session.failure = broken
"""
    status, said = attempt(conftest=conftest, test_it="def test_a(): assert 0\ndef test_b(): pass")
    assert status == 1, said
    assert "1 failed, 1 passed" in said
    assert "not all was reported: ValueError: a fault of the plugin" in said
    assert said_of_run()[0]["counts"] == {"passed": 1, "failed": 1, "skipped": 0, "errors": 0}


def test_the_log_of_the_client_is_not_in_the_tests(tmp_path: Path) -> None:
    """While the service is down, its warnings would be in `caplog` of the test that runs."""
    suite = """
import logging
def test_a(): assert 0
def test_b(caplog):
    logging.getLogger("error_visualization").warning("as the thread that delivers does")
    assert caplog.records == []
"""
    (tmp_path / "suite").mkdir()
    (tmp_path / "suite" / "test_it.py").write_text(suite)
    status, said = run(tmp_path / "suite", "http://127.0.0.1:9", "-pno:xdist.plugin")
    assert "1 failed, 1 passed" in said
    assert "the rest is kept on disk and sent by the next run (" in said
    assert status == 1


@pytest.mark.parametrize("url", ["dashboard", "ftp://x", "http://"])
def test_an_address_that_is_none(tmp_path: Path, url: str) -> None:
    status, said = run(tmp_path, url)
    assert status == 4
    assert f"--error-dashboard {url}: expected an address such as http://" in said


@pytest.mark.parametrize("flags", [["--collect-only"], ["--help"], []])
def test_without_a_service_or_tests_nothing_is_sent(tmp_path: Path, flags: list[str]) -> None:
    (tmp_path / "test_it.py").write_text(
        "import sys\ndef test_a(): assert 'error_visualization.reporter' not in sys.modules"
    )
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("ERROR_VIS", "PYTEST"))}
    environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    command = [sys.executable, "-m", "pytest", "-q", "-pno:cacheprovider", *PLUGINS, *flags]
    with recording() as nobody:
        command += ["--error-dashboard", nobody.url] if flags else []
        done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False, timeout=60)  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert nobody.requests == []
    assert "error dashboard:" not in done.stdout
