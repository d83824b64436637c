"""A suite of 500 tests reports exactly what failed in it, and why, to the real service."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from conftest import Served, free_port
from memory_limit import memory_limit
from pytest_suite import TESTS, Heard, deliver, outcomes, run, truth, write
from runs_read import run_ids, summaries

pytestmark = pytest.mark.dashboard
Start = Callable[..., Served]
KINDS = {"failed": "failed", "error": "errors", "crashed": "errors"}
RUN = {"ERROR_VISUALIZATION_WORKER_ID": "machine-1", "ERROR_VISUALIZATION_RUN_ID": "nightly-7"}


def reports(served: Served) -> list[dict[str, Any]]:
    """Returns the reports that the service stored, as they were sent."""
    page = served.get("/api/errors/list?time_range=24&limit=1000")
    assert page["next_cursor"] is None
    return [served.get(f"/api/errors/{error['id']}")["report"] for error in page["errors"]]


def heard(stored: list[dict[str, Any]], expected: list[Heard]) -> list[Heard]:
    """Returns what the reports say; of a message only the part that is expected."""
    parts = {(one.test, one.attempt): one.said for one in expected}
    found = []
    for report in stored:
        test = report["test"]
        part = parts.get((test["id"], test["attempt"]), "")
        said = part if part in report["message"] else report["message"]
        found.append(Heard(test["id"], test["outcome"], test["attempt"], report["type"], said))
    return sorted(found)


def check(served: Served, *, crashes: bool, memory: bool) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Asserts that the service has exactly the truth. Returns its reports and the summary."""
    expected = truth(crashes=crashes, memory=memory)
    stored = reports(served)
    assert heard(stored, expected) == expected
    assert {report["run"]["id"] for report in stored} == {"nightly-7"}
    assert run_ids(served) == ["nightly-7"]
    (summary,) = summaries(served, "nightly-7")
    assert summary["worker_id"].startswith("machine-1/pytest-")
    assert summary["complete"]
    assert summary["finished_at"] >= summary["started_at"]
    assert summary["run"] == {"id": "nightly-7"}
    found = outcomes(summary)
    assert len(found) == TESTS
    bad = {test: kind for test, kind in found.items() if kind in ("failed", "errors")}
    assert bad == {one.test: KINDS[one.outcome] for one in expected if one.outcome != "rerun"}
    assert summary["counts"]["skipped"] == 15
    assert all(found[f"test_reruns.py::test_second[{n}]"] == "passed" for n in range(5))
    errors = Counter(report["test"]["id"] for report in stored)
    listed = served.get("/api/runs/nightly-7?limit=1000")["tests"]
    assert {one["test"]: one["error_count"] for one in listed if one["error_count"]} == errors
    return stored, summary


def test_500_tests_by_four_workers_three_of_which_die(served: Start, tmp_path: Path) -> None:
    service = served()
    with memory_limit(700) as limited:
        memory = limited is not None
        write(tmp_path / "suite", crashes=True, memory=memory)
        status, said = run(tmp_path / "suite", service.url, "-n", "4", prefix=limited or (), **RUN)
    assert status == 1, said
    stored, summary = check(service, crashes=True, memory=memory)
    by_type = {report["type"]: report for report in stored}
    assert {report["worker_id"] for report in stored} <= {f"machine-1/gw{n}" for n in range(7)}
    assert set(summary["workers"]) <= {f"gw{n}" for n in range(7)}
    worker_of = {test: worker for worker, lists in summary["workers"].items() for ids in lists.values() for test in ids}
    for report in stored:
        if report["test"]["outcome"] != "rerun":
            assert report["worker_id"] == f"machine-1/{worker_of[report['test']['id']]}"
    killed = by_type["WorkerKilled"]
    assert (killed["cause"]["signal"], killed["cause"]["kind"]) == ("SIGSEGV", "signal")
    assert by_type["WorkerExited"]["cause"]["exit_code"] == 3
    if memory:
        assert by_type["WorkerOutOfMemory"]["cause"]["signal"] == "SIGKILL"
    severities = {error["type"]: error["severity"] for error in service.get("/api/errors/list?limit=1000")["errors"]}
    assert {severities[name] for name in by_type if name.startswith("Worker")} == {"critical"}
    failed = next(report for report in stored if report["test"]["id"] == "test_plain.py::test_fails[7]")
    own = {report["test"]["id"]: report for report in stored if "::test_fails[" in report["test"]["id"]}
    assert len(own) == 30
    for test, report in own.items():  # each printed where it ran
        printed = f"the output of {report['pytest']['parameters']['n']} on {worker_of[test]}\n"
        assert report["pytest"]["output"] == {"stdout call": printed}
    assert failed["pytest"]["parameters"] == {"n": "7"}
    assert failed["traceback"].startswith("Traceback")
    assert "in test_fails" in failed["traceback"]
    assert failed["test"]["file"] == "test_plain.py"
    rerun = next(report for report in stored if report["test"]["id"] == "test_reruns.py::test_second[0]")
    assert (rerun["error_category"], rerun["pytest"]["final_outcome"]) == ("TEST_RERUN", "passed")
    if not memory:
        pytest.skip("no control group with a limit of memory can be made: all but the out-of-memory kill was tested")


def test_500_tests_without_xdist(served: Start, tmp_path: Path) -> None:
    service = served()
    write(tmp_path / "suite", crashes=False, memory=False)
    status, said = run(tmp_path / "suite", service.url, "-pno:xdist.plugin", **RUN)
    assert status == 1, said
    stored, summary = check(service, crashes=False, memory=False)
    assert set(summary["workers"]) == {"main"}
    assert {report["worker_id"] for report in stored} == {"machine-1"}
    marks = {name for report in stored for name in report["pytest"].get("marks", ())}
    assert {"gpu", "timeout", "flaky", "xfail", "parametrize"} <= marks


def test_500_tests_while_the_service_is_down(served: Start, tmp_path: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    write(tmp_path / "suite", crashes=True, memory=False)
    status, said = run(tmp_path / "suite", url, "-n", "4", **RUN)
    assert status == 1, said
    assert "not all are delivered yet, the rest is kept on disk and sent by the next run" in said
    service = served(port=port)
    assert deliver(tmp_path / "suite", url)
    check(service, crashes=True, memory=False)


def test_a_limit_of_failures_ends_the_run(served: Start, tmp_path: Path) -> None:
    service = served()
    write(tmp_path / "suite", crashes=False, memory=False)
    for number, flags in enumerate([("-n", "2"), ("-pno:xdist.plugin",)]):
        status, said = run(tmp_path / "suite", service.url, *flags, "--maxfail=5", "--junitxml=../own.xml",
                           ERROR_VISUALIZATION_RUN_ID=f"run-{number}")  # fmt: skip
        assert status in (1, 2), said
        own = ElementTree.parse(tmp_path / "own.xml").getroot()
        bad = sorted(case.get("name", "") for case in own.iter("testcase") if len(case) and case[0].tag in ("failure", "error"))  # fmt: skip
        found = [one for one in reports(service) if one["run"]["id"] == f"run-{number}" and one["test"]["outcome"] != "rerun"]  # fmt: skip
        assert sorted(one["test"]["id"].rpartition("::")[2] for one in found) == bad
        assert len(bad) >= 5
        (summary,) = summaries(service, f"run-{number}")
        assert summary["complete"] is False
        assert summary["finished_at"]
        assert summary["counts"]["failed"] + summary["counts"]["errors"] == len(bad)
        assert 5 < sum(summary["counts"].values()) < TESTS
