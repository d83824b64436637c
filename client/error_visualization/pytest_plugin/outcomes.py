"""The outcome of each test, for the summary of a run.

A test has several reports (setup, call, teardown, subtests, earlier attempts). The worst of its last attempt counts.
"""

from __future__ import annotations

import json
from typing import Any

RANK = {"skipped": 0, "passed": 1, "errors": 2, "failed": 3}
KINDS = ("passed", "failed", "skipped", "errors")
MOST_IDS = 3_000_000  # bytes of test ids as JSON in a summary; of more, only the counts are sent


class Outcomes:
    """Outcomes by worker and test id. For one thread."""

    def __init__(self) -> None:
        self._workers: dict[str, dict[str, str]] = {}

    def add(self, worker: str, test: str, outcome: str) -> None:
        """Notes an outcome of the present attempt; one of `KINDS`."""
        tests = self._workers.get(worker)
        if tests is None:
            tests = self._workers[worker] = {}
        known = tests.get(test)
        if known is None or RANK[outcome] > RANK[known]:
            tests[test] = outcome

    def forget(self, worker: str, test: str) -> None:
        """The test is run again: the next attempt counts."""
        self._workers.get(worker, {}).pop(test, None)

    def count(self) -> int:
        """Returns how many tests have an outcome."""
        return sum(map(len, self._workers.values()))

    def summary(self) -> dict[str, Any]:
        """Returns the fields `counts` and `workers` of a run's summary. `workers` is left out if it were too long."""
        counts = dict.fromkeys(KINDS, 0)
        workers: dict[str, dict[str, list[str]]] = {}
        size = 0
        for worker, tests in self._workers.items():
            lists: dict[str, list[str]] = {kind: [] for kind in KINDS}
            for test, outcome in tests.items():
                counts[outcome] += 1
                size += len(json.dumps(test)) + 2  # and a comma and a blank
                lists[outcome].append(test)
            workers[worker] = lists
        return {"counts": counts} if size > MOST_IDS else {"counts": counts, "workers": workers}


def outcome_of(report: Any) -> str | None:
    """Returns the outcome that a report of pytest means for its test; None if it means none yet: it is run again."""
    if report.outcome == "failed":
        return "failed" if report.when == "call" else "errors"
    if report.outcome == "skipped":
        return "skipped"
    return "passed" if report.outcome == "passed" else None
