"""The option `--rerun-once`: a browser or stack test that fails is run again once. Each one is printed, so that its
cause is looked for, and more than two of them fail the run. Other tests are never run again."""

from typing import Final

import pytest
from _pytest.terminal import TerminalReporter

RERUN: Final = ("tests/browser/", "tests/stack/")  # they run several programs, whose timing varies most
MAX_RERUNS: Final = 2
LINES: Final = 60  # of what is printed of each failure


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
    for test, failure in _rerun(config).items():
        terminalreporter.write_line(f"failed once, then run again: {test}")
        terminalreporter.write_line("\n".join(failure.splitlines()[-LINES:]))
    if len(_rerun(config)) > MAX_RERUNS:
        terminalreporter.write_line(f"more than {MAX_RERUNS} tests were run again, so this run fails")


def _rerun(config: pytest.Config) -> dict[str, str]:
    """Returns the tests that were run again, and how each failed; none in a worker of pytest-xdist, which does not
    report."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    reports = reporter.stats.get("rerun", ()) if reporter else ()
    return dict(sorted((report.nodeid, report.longreprtext) for report in reports))
