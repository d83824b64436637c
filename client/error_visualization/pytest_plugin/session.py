"""Reports what fails in a session of pytest, and its summary. Runs in the process that the user started.

Nothing here may break a run of tests: an error in a hook is shown at the end, and the hook does nothing.
"""

from __future__ import annotations

import datetime as dt
import functools
import os
import uuid
from collections.abc import Callable
from typing import Any, TypeVar

import pytest

from error_visualization import context
from error_visualization.pytest_plugin.crash import Cause, Watch
from error_visualization.pytest_plugin.failure import details, failure, repeats_subtests
from error_visualization.pytest_plugin.handover import Handover
from error_visualization.pytest_plugin.outcomes import Outcomes, outcome_of
from error_visualization.pytest_plugin.quiet import Quiet
from error_visualization.reporter import Reporter, why_no_service

FLUSH = 2.0  # seconds at the end for what is not delivered yet; the rest stays in the spool
MOST_HELD = 1_000  # failed attempts that wait for the next one
MAIN = "main"  # name of the process of pytest itself in a summary
Hook = TypeVar("Hook", bound=Callable[..., None])


def register(config: Any, url: str) -> None:
    """Registers the plugins that report to the service at `url`. Raises `pytest.UsageError` for a bad URL."""
    problem = why_no_service(url)
    if problem:
        raise pytest.UsageError(f"--error-dashboard {url}: {problem}")
    worker = context.worker_id(os.environ)
    run = context.run(os.environ) or {}
    if not run.get("id"):
        run = {**run, "id": f"pytest-{worker}-{dt.datetime.now():%Y%m%d-%H%M%S}-{uuid.uuid4().hex[:6]}"}
    config.pluginmanager.register(Handover(), "error-visualization-handover")
    dashboard = Dashboard(Reporter(url, worker_id=worker), worker, run)
    config.pluginmanager.register(dashboard, "error-visualization-session")


def _safe(hook: Hook) -> Hook:
    @functools.wraps(hook)
    def safe(self: Dashboard, *given: Any, **named: Any) -> None:
        try:
            hook(self, *given, **named)
        except Exception as error:
            self.trouble = self.trouble or f"{type(error).__name__}: {error}"

    return safe  # type: ignore[return-value]


class Dashboard:
    """Hooks of pytest and pytest-xdist."""

    def __init__(self, reporter: Reporter, worker: str, run: dict[str, Any]) -> None:
        self.reporter, self.worker, self.run = reporter, worker, run
        self.sender = f"{worker}/pytest-{os.getpid()}-{uuid.uuid4().hex[:6]}"  # sessions of one run have one each
        self.outcomes, self.watch = Outcomes(), Watch()
        self.started = _now()
        self.running: set[str] = set()
        self.held: dict[str, list[dict[str, Any]]] = {}  # failed attempts by test, until its outcome is known
        self.dead: list[tuple[str, Cause]] = []  # workers whose test is not known yet
        self.collected: set[str] = set()  # collections that failed; each worker has them
        self.reported = self.crashes = 0
        self.log = Quiet()
        self.delivered = False
        self.trouble = ""

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        self._summary(None, False)

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self.running.add(nodeid)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        self.running.discard(nodeid)

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.outcome == "passed":
            if report.when != "call":
                return
            if not self.held and not self.dead:  # nearly always
                self.outcomes.add(_worker_of(report), report.nodeid, "passed")
                return
        self._judge(report)

    @_safe
    def _judge(self, report: Any) -> None:
        """Reports what is not a plain success."""
        worker, outcome = _worker_of(report), outcome_of(report)
        if self.dead:
            cause = self._dead(worker if report.when == "???" else None)
            if cause is not None:
                self._crashed(worker, cause, report)
        if outcome is None:
            self.outcomes.forget(worker, report.nodeid)
            if report.when != "???":
                self._hold(worker, report)
            return
        self.outcomes.add(worker, report.nodeid, outcome)
        attempt = len(self.held.get(report.nodeid, ())) + 1
        if self.held:
            self._release(report.nodeid, outcome)
        if report.outcome == "failed" and report.when != "???" and not repeats_subtests(report):
            self._report(worker, _fields(report, "failed" if report.when == "call" else "error", attempt))

    @_safe
    def pytest_collectreport(self, report: Any) -> None:
        if report.outcome != "failed" or report.nodeid in self.collected:
            return
        self.collected.add(report.nodeid)
        self.outcomes.add(MAIN, report.nodeid, "errors")
        self._report(MAIN, _fields(report, "error", 1))

    @_safe
    def pytest_internalerror(self, excrepr: Any) -> None:
        text = str(excrepr)
        message = (text.strip().splitlines() or ["an error inside of pytest"])[-1]
        self._report(MAIN, {"type": "InternalError", "message": f"pytest: {message}", "traceback": text})

    @pytest.hookimpl(optionalhook=True)
    @_safe
    def pytest_configure_node(self, node: Any) -> None:
        node.workerinput["error_visualization"] = True

    @pytest.hookimpl(optionalhook=True)
    @_safe
    def pytest_testnodeready(self, node: Any) -> None:
        self.watch.begin(node)

    @pytest.hookimpl(optionalhook=True)
    @_safe
    def pytest_testnodedown(self, node: Any, error: Any) -> None:
        self._dead(None)
        if error and error != "keyboard-interrupt":
            self.crashes += 1
            self.dead.append((node.gateway.id, self.watch.cause(node)))

    @pytest.hookimpl(trylast=True)
    @_safe
    def pytest_sessionfinish(self, session: Any, exitstatus: int) -> None:
        self._dead(None)
        for test in list(self.held):
            self._release(test, "unknown")
        self._summary(_now(), self._complete(session, exitstatus))
        self.delivered = self.reporter.flush(FLUSH)

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        text = f"error dashboard: {self.reported} reports of run {self.run['id']}"
        if not self.delivered:
            text += "; not all are delivered yet, the rest is kept on disk and sent by the next run"
        if self.log.last:
            text += f" ({self.log.last})"
        if self.trouble:
            text += f"; not all was reported: {self.trouble}"
        terminalreporter.write_line(text)

    @pytest.hookimpl(trylast=True)
    @_safe
    def pytest_unconfigure(self) -> None:
        self.watch.close()
        self.reporter.close(FLUSH if self.delivered else 0.0)
        self.log.close()

    def _complete(self, session: Any, exitstatus: int) -> bool:
        """Returns whether all collected tests were run: neither an interrupt, a limit of failures nor dead workers
        that were not replaced ended the session."""
        if int(exitstatus) not in (0, 1, 5) or session.shouldstop or session.shouldfail:
            return False
        tests = self.outcomes.count() - len(self.collected)
        return tests >= session.testscollected and not (self.crashes and not tests)

    def _dead(self, worker: str | None) -> Cause | None:
        """Returns why `worker` died, and reports all other dead workers: they ran no test."""
        found = None
        for name, cause in self.dead:
            if name == worker:
                found = cause
            else:
                self._report(name, cause.fields(name, None, False))
        self.dead = []
        return found

    def _crashed(self, worker: str, cause: Cause, report: Any) -> None:
        attempt = len(self.held.get(report.nodeid, ())) + 1
        fields = cause.fields(worker, report.nodeid, report.nodeid in self.running)
        self.running.discard(report.nodeid)
        self._report(worker, {**fields, "test": _test(report, "crashed", attempt)})

    def _hold(self, worker: str, report: Any) -> None:
        if sum(map(len, self.held.values())) >= MOST_HELD:
            self._release(next(iter(self.held)), "unknown")
        attempts = self.held.setdefault(report.nodeid, [])
        fields = _fields(report, "rerun", len(attempts) + 1)
        attempts.append({"worker": worker, **fields, "error_category": "TEST_RERUN"})

    def _release(self, test: str, final: str) -> None:
        """Reports the failed attempts of a test that were followed by another one."""
        for fields in self.held.pop(test, ()):
            fields["pytest"]["final_outcome"] = final
            self._report(fields.pop("worker"), fields)

    def _report(self, worker: str, fields: dict[str, Any]) -> None:
        name = f"{self.worker}/{worker}" if worker != MAIN else self.worker
        self.reporter.report({"timestamp": _now(), **fields, "worker_id": name, "run": self.run})
        self.reported += 1

    @_safe
    def _summary(self, finished: str | None, complete: bool) -> None:
        body = {
            "run": self.run,
            "worker_id": self.sender,
            "started_at": self.started,
            "finished_at": finished,
            "complete": complete,
            **self.outcomes.summary(),
        }
        self.reporter.post("/api/runs", body)


def _fields(report: Any, outcome: str, attempt: int) -> dict[str, Any]:
    stop = getattr(report, "stop", None)
    return {
        "timestamp": _now() if stop is None else _iso(stop),
        **failure(report),
        "test": _test(report, outcome, attempt),
        "pytest": details(report),
    }


def _test(report: Any, outcome: str, attempt: int) -> dict[str, Any]:
    return {
        "id": report.nodeid,
        "file": report.nodeid.split("::")[0],
        "attempt": max(attempt, getattr(report, "rerun", 0) + 1),
        "outcome": outcome,
        "duration": getattr(report, "duration", None),
    }


def _worker_of(report: Any) -> str:
    node = getattr(report, "node", None)
    return str(node.gateway.id) if node is not None else MAIN


def _now() -> str:
    return dt.datetime.now(dt.timezone.utc).isoformat()


def _iso(seconds: float) -> str:
    return dt.datetime.fromtimestamp(seconds, dt.timezone.utc).isoformat()
