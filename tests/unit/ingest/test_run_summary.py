"""The body of POST /api/runs, however its sender spells it."""

import datetime as dt
import json
from typing import Any

import pytest

from exporter.events.run_summary import decode_summary, encode_summary
from exporter.ingest import run_summary
from exporter.ingest.parse import ReportError
from exporter.ingest.run_summary import ReadSummary, as_json, read_summary

pytestmark = pytest.mark.dashboard
NOW = dt.datetime(2026, 11, 26, 20, tzinfo=dt.UTC)


def read(**sent: Any) -> ReadSummary:
    body = {"run": {"id": "r", "job": "j", "url": "https://x"}, "worker_id": "ctl"} | sent
    return read_summary(as_json(json.dumps(body).encode()), NOW, dt.UTC)


def test_a_whole_summary() -> None:
    workers = {"gw0": {"passed": ["a", "b"], "failed": ["c"]}, "gw1": {"skipped": ["d"], "errors": ["e"]}}
    found, warnings = read(workers=workers, started_at="2026-11-26T19:00:00Z", finished_at=1_795_723_200, complete=True)
    assert warnings == ()
    assert (found.run, found.sender, found.received_at, found.complete) == ("r", "ctl", NOW, True)
    assert (found.started_at, found.finished_at) == (NOW - dt.timedelta(hours=1), NOW)
    assert found.counts == (2, 1, 1, 1)  # in the order of OUTCOMES
    assert found.details == {
        "job": "j",
        "suite": None,
        "branch": None,
        "commit": None,
        "user": None,
        "url": "https://x",
    }
    assert found.tests == {"gw0": (["a", "b"], [], ["c"], []), "gw1": ([], ["d"], [], ["e"])}
    assert decode_summary(encode_summary(found)) == found


def test_what_only_python_takes_for_json_is_no_reason_to_refuse_it() -> None:
    """`json.dumps` writes lone surrogates, such as of a file name that is not UTF-8, NaN and Infinity."""
    found, warnings = read(workers={"gw0": {"passed": ["a\udcff", "b"]}}, counts={"failed": float("nan"), "passed": 7})
    assert found.tests == {"gw0": (["a\ufffd", "b"], [], [], [])}
    assert (found.counts, warnings) == ((7, 0, 0, 0), ())
    assert decode_summary(encode_summary(found)) == found


def test_counts_alone_and_counts_beside_ids() -> None:
    assert read(counts={"passed": "5", "failed": 1}).summary.counts == (5, 0, 1, 0)
    both = read(counts={"passed": 50}, workers={"w": {"passed": ["a"], "failed": ["b"]}})
    assert both.summary.counts == (50, 0, 1, 0)
    assert read().summary.counts == (0, 0, 0, 0)


def test_a_summary_without_an_end_is_not_complete() -> None:
    assert not read().summary.complete
    assert read(finished_at="2026-11-26T20:00:00Z").summary.complete
    assert not read(finished_at="2026-11-26T20:00:00Z", complete=False).summary.complete


@pytest.mark.parametrize(
    ("sent", "field"),
    [({"run": None}, "run.id"), ({"run": {"job": "j"}}, "run.id"), ({"run": {"id": ""}}, "run.id"), ({"run": []}, "run.id"),
     ({"worker_id": None}, "worker_id"), ({"worker_id": " "}, "worker_id"), ({"worker_id": {}}, "worker_id")],
)  # fmt: skip
def test_without_run_or_sender_it_is_refused(sent: dict[str, Any], field: str) -> None:
    with pytest.raises(ReportError) as refused:
        read(**sent)
    assert refused.value.field == field


@pytest.mark.parametrize("body", [b"", b"[]", b"nonsense", b'"x"', b'{"run": ', b"\xff", b"[" * 5_000])
def test_what_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(ReportError) as refused:
        read_summary(body, NOW, None)
    assert refused.value.reason == "malformed"


@pytest.mark.parametrize(
    ("sent", "warning"),
    [
        ({"workers": []}, None),
        ({"workers": [1]}, "workers: expected an object, got an array: dropped"),
        ({"workers": {"gw0": 7}}, "workers.gw0: expected an object, got a whole number: dropped"),
        ({"workers": {"gw0": {"passed": "a"}}}, "workers.gw0.passed: expected an array of ids of tests, got a string: dropped"),
        ({"workers": {"gw0": {"failed": [{}]}}}, "workers.gw0.failed: expected a string, got an object: dropped"),
        ({"counts": 3}, "counts: expected an object, got a whole number: dropped"),
        ({"counts": {"passed": -1}}, "counts.passed: expected a whole number, got a number out of range: dropped"),
        ({"started_at": "yesterday"}, "started_at: expected a time, got a string: dropped"),
        ({"complete": "perhaps"}, "complete: expected true or false, got a string: dropped"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_named_and_costs_nothing_else(sent: dict[str, Any], warning: str | None) -> None:
    found, warnings = read(**sent)
    assert warnings == (() if warning is None else (warning,))
    assert found.run == "r"
    assert sum(found.counts) == 0


def test_ids_of_failed_tests_are_kept_before_those_of_passed_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_summary, "MAX_TESTS", 4)
    workers = {"gw0": {"passed": ["p1", "p2"], "failed": ["f1"]}, "gw1": {"passed": ["p3"], "errors": ["e1", "e2"]}}
    found, warnings = read(workers=workers)
    assert found.tests == {"gw0": (["p1"], [], ["f1"], []), "gw1": ([], [], [], ["e1", "e2"])}
    assert found.counts == (3, 0, 1, 2)
    assert warnings == ("workers: only 4 of 6 ids of tests are stored, failed tests first",)


def test_many_workers_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_summary, "MAX_WORKERS", 2)
    found, warnings = read(workers={f"gw{number}": {"passed": ["t"]} for number in range(3)})
    assert list(found.tests) == ["gw0", "gw1"]
    assert warnings == ("workers: only the first 2 of 3 are stored",)
