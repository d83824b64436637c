"""Results of tests become error reports: one for each failed attempt of a test. All of them become a run's summary.

    type        of the failure | of the first line of its text that names an exception | "TestFailure", "TestError"
    message     of the failure | the first line of its text
    traceback   its text, without one the output of the test
    test        id (junit_names.py), file, attempt, duration; outcome failed, error, or rerun if the test ran again
    event_id    a hash of the file and the place in it: a file that is sent again stores nothing twice

A later `testcase` of the same name is a further attempt, as Gradle writes it; Surefire writes `rerunFailure` for a
further attempt that failed, too, and `flakyFailure` for one that failed before the test passed.
"""

import datetime as dt
import hashlib
import re
from collections import Counter
from typing import Any, Final, NamedTuple

from exporter.events.report import UNKNOWN_CATEGORY
from exporter.ingest.category import TEST_FAILURE, derived_category
from exporter.protocols.bounds import Bounds, ending
from exporter.protocols.identity import without_empty
from exporter.protocols.junit_names import file_of, test_id
from exporter.protocols.junit_xml import Case, Problem, Results, read_junit

OUTCOMES: Final = ("passed", "failed", "skipped", "errors")
MAX_SECONDS: Final = 1e9
MAX_SENDER: Final = 200  # characters of the worker's id in the name of a summary's sender
_RAISED: Final = re.compile(
    r"^[^\S\n]{0,8}(?:E[^\S\n]+)?(?:Uncaught )?"
    r"((?:[A-Za-z_$][\w.$]{0,200}?)?(?:Error|Exception|Failure|Exit))(?=:|[^\S\n]{0,8}$)",
    re.MULTILINE,
)
_GENERIC: Final = ("", "failure", "error", "failed", "java.lang.error")


class JUnit(NamedTuple):
    """`reports` of the problems, `counts` of tests by outcome, `summary` of the run, None if its id is not known.
    `warning` says if the file ended early."""

    reports: list[dict[str, Any]]
    counts: dict[str, int]
    summary: dict[str, Any] | None
    warning: str


def read_results(body: bytes, run: dict[str, str], worker: str, *, derive_category: bool = True) -> JUnit:
    """Returns what a file says. `run` and `worker` are what its sender says beside it. Raises `MessageError`."""
    results = read_junit(body)
    for case in results.cases:
        case.id = test_id(case)
    worker = worker or results.properties.get("worker_id", "")
    digest = hashlib.blake2b(body, digest_size=12)
    digest.update(repr(sorted(run.items())).encode() + worker.encode())
    attempts: Counter[str] = Counter()
    last = {case.id: number for number, case in enumerate(results.cases)}
    reports: list[dict[str, Any]] = []
    for number, case in enumerate(results.cases):
        name = case.id
        tries = _tries(case)
        for place, problem in enumerate(tries):
            attempts[name] += place == 0 or problem.kind.startswith(("rerun", "flaky"))
            later = any(one.kind.startswith("rerun") for one in tries[place + 1 :])
            again = later or problem.kind.startswith("flaky") or last[name] > number
            one = _report(case, problem, worker, attempts[name], again=again, derive_category=derive_category)
            reports.append(one | {"event_id": f"{digest.hexdigest()}-{len(reports)}"} | ({"run": run} if run else {}))
        attempts[name] += all(one.kind.startswith("flaky") for one in tries)  # the attempt that passed, or was skipped
    return JUnit(reports, _counts(results), summary_of(results, run, worker), results.why)


def summary_of(results: Results, run: dict[str, str], worker: str) -> dict[str, Any] | None:
    """Returns the body of `POST /api/runs` for a file; None without the id of the run. The sender is the worker with a
    hash of the tests: a file that is sent again replaces its summary, and other files of the run are added to it."""
    if not run.get("id"):
        return None
    workers: dict[str, dict[str, list[str]]] = {}
    outcomes = {case.id: (case, case.outcome) for case in results.cases}  # the last attempt counts
    for name, (case, outcome) in outcomes.items():
        by_outcome = workers.setdefault(worker or _worker(case), {one: [] for one in OUTCOMES})
        by_outcome[outcome].append(name)
    tests = hashlib.blake2b(repr(sorted(outcomes)).encode("utf-8", "replace"), digest_size=6)
    times = [results.root.get("timestamp", ""), *(_timestamp(case) for case in results.cases)]
    started = next((moment for text in times if (moment := _moment(text))), None)
    seconds = _seconds(results.root) or sum(_seconds(case.attributes) or 0.0 for case in results.cases)
    finished = started + dt.timedelta(seconds=min(seconds, MAX_SECONDS)) if started else None
    return {
        "run": run,
        "worker_id": f"{(worker or next(iter(workers), 'junit'))[:MAX_SENDER]}/junit-{tests.hexdigest()}",
        "started_at": started.isoformat() if started else None,
        "finished_at": finished.isoformat() if finished else None,
        "complete": results.complete,
        "workers": workers,
        "counts": _counts(results),
    }


def _counts(results: Results) -> dict[str, int]:
    counts = Counter({case.id: case.outcome for case in results.cases}.values())
    return {outcome: counts[outcome] for outcome in OUTCOMES}


def _tries(case: Case) -> list[Problem]:
    """Returns the problems of a test in the order of its attempts. A call and its teardown may both fail in one."""
    return sorted(case.problems, key=lambda one: one.kind.startswith("rerun"))


def _report(
    case: Case, problem: Problem, worker: str, attempt: int, *, again: bool, derive_category: bool
) -> dict[str, Any]:
    text = problem.text.strip("\n")
    message = _message(problem, text, case.output)
    is_error = problem.kind.lower().endswith("error")
    type_ = _type(problem, text, message, is_error=is_error)
    traceback = text or case.output
    category = None
    if derive_category and derived_category(type_, message, traceback).name == UNKNOWN_CATEGORY:
        category = TEST_FAILURE
    seconds = _seconds(case.attributes)
    return without_empty({
        "worker_id": worker or _worker(case),
        "type": type_,
        "message": message or "the test failed without a message",
        "traceback": traceback,
        "timestamp": _timestamp(case),
        "error_category": category,
        "test": without_empty({
            "id": case.id,
            "file": file_of(case),
            "attempt": attempt,
            "outcome": "rerun" if again else "error" if is_error else "failed",
            "duration": seconds,
        }),
        "junit": without_empty({
            "suite": Bounds().keep(case.suite),
            "testcase": Bounds().keep(case.attributes),
            "output": ending(case.output, 8_192) if text else "",
        }),
    })  # fmt: skip


def _message(problem: Problem, text: str, output: str) -> str:
    """Returns what happened: some tools write only "Failed" into `message`."""
    message = problem.message.strip()
    if message.lower() in _GENERIC:
        for lines in (text.splitlines(), reversed(output.splitlines())):
            if line := next((one for one in map(str.strip, lines) if one), ""):
                return line
    return message


def _type(problem: Problem, text: str, message: str, *, is_error: bool) -> str:
    given = problem.type.strip()
    if given.lower() not in _GENERIC:
        return given
    for one in (message, text[:20_000], text[-20_000:]):
        if found := _RAISED.search(one):
            return found[1]
    if message.startswith("assert "):
        return "AssertionError"
    return "TestError" if is_error else "TestFailure"


def _worker(case: Case) -> str:
    return (case.suite.get("hostname") or case.attributes.get("hostname") or "junit").strip() or "junit"


def _timestamp(case: Case) -> str:
    return case.attributes.get("timestamp") or case.suite.get("timestamp", "")


def _moment(text: str) -> dt.datetime | None:
    """Returns the moment of ISO 8601, without an offset if the text has none; None for anything else."""
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if 1970 <= moment.year <= 9000 else None


def _seconds(attributes: dict[str, str]) -> float | None:
    """Returns `time` in seconds, which some tools write as `1,234.5`; None if it is missing or no number."""
    try:
        seconds = float(attributes.get("time", "").replace(",", ""))
    except ValueError:
        return None
    return seconds if 0 <= seconds <= MAX_SECONDS else None
