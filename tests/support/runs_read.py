"""Reads the summaries of a run back from the service, in the shape in which a program sends them."""

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

if TYPE_CHECKING:
    from conftest import Served

LABELS: Final = ("id", "job", "suite", "commit", "branch", "user", "url")
COUNTS: Final = ("passed", "failed", "skipped", "errors")
_KINDS: Final = {"passed": "passed", "failed": "failed", "skipped": "skipped", "error": "errors"}
_PAGE: Final = 300  # tests, so that larger runs need several pages


def run_ids(served: "Served") -> list[str]:
    """Returns the ids of all runs, newest first."""
    return [run["id"] for run in served.get("/api/runs?time_range=24&limit=1000")["runs"]]


def summaries(served: "Served", run: str) -> list[dict[str, Any]]:
    """Returns what each sender says of `run`, oldest first; [] if nobody sent anything. Asserts that the list of runs
    and the sums of the run say the same as its senders."""
    listed = [one for one in served.get("/api/runs?time_range=24&limit=1000")["runs"] if one["id"] == run]
    if not listed:
        return []
    details, tests, after = {}, [], 0
    while after is not None:
        details = served.get(f"/api/runs/{quote(run, safe='')}?limit={_PAGE}&after={after}")
        tests += details["tests"]
        after = details["next_after"]
    assert listed == [{name: details[name] for name in listed[0]}]
    labels = {name: details[name] for name in LABELS if details[name] is not None}
    found = [_said(one, labels, tests) for one in reversed(details["summaries"])]
    assert {one["sender"] for one in tests} <= {one["worker_id"] for one in found}
    _check_sums(details["summary"], found)
    return found


def _said(said: dict[str, Any], labels: dict[str, str], tests: list[dict[str, Any]]) -> dict[str, Any]:
    workers: dict[str, dict[str, list[str]]] = {}
    for test in tests:
        if test["sender"] == said["sender"]:
            workers.setdefault(test["worker"], {name: [] for name in COUNTS})[_KINDS[test["outcome"]]].append(
                test["test"]
            )
    return {
        "run": labels,
        "worker_id": said["sender"],
        **{name: said[name] for name in ("started_at", "finished_at", "complete")},
        "counts": {name: said["outcomes"][name] for name in COUNTS},
        "workers": workers,
    }


def _check_sums(summed: dict[str, Any] | None, found: list[dict[str, Any]]) -> None:
    if not found:
        assert summed is None
        return
    assert summed is not None
    assert summed["senders"] == len(found)
    assert summed["complete"] == all(one["complete"] for one in found)
    assert {name: summed["outcomes"][name] for name in COUNTS} == {
        name: sum(one["counts"][name] for one in found) for name in COUNTS
    }
