"""The option `--rerun-once`: a browser or stack test that fails is run again once. Each one is printed, so that its
cause is looked for, and more than two of them fail the run. Other tests are never run again."""

from typing import Final

import pytest
from _pytest.terminal import TerminalReporter

RERUN: Final = ("tests/browser/", "tests/stack/")  # they run several programs, whose timing varies most
MAX_RERUNS: Final = 2


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rerun-once", action="store_true", help="run a browser or stack test that fails again, once")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("rerun_once"):
        for item in items:
            if item.nodeid.startswith(RERUN):
                item.add_marker(pytest.mark.flaky(reruns=1))


def pytest_sessionfinish(session: pytest.Session) -> None:
    if session.exitstatus == pytest.ExitCode.OK and len(_rerun(session.config)) > MAX_RERUNS:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: TerminalReporter, config: pytest.Config) -> None:
    for test in _rerun(config):
        terminalreporter.write_line(f"failed once, then run again: {test}")
    if len(_rerun(config)) > MAX_RERUNS:
        terminalreporter.write_line(f"more than {MAX_RERUNS} tests were run again, so this run fails")


def _rerun(config: pytest.Config) -> list[str]:
    """Returns the tests that were run again; none in a worker of pytest-xdist, which does not report."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    return sorted({report.nodeid for report in reporter.stats.get("rerun", ())}) if reporter else []
