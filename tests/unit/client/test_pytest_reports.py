"""What the pytest plugin reads out of pytest's reports, and how it tells the outcome of a test from them."""

import os
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from error_visualization.pytest_plugin.failure import details, failure, repeats_subtests, tail
from error_visualization.pytest_plugin.handover import described, placed, safe
from error_visualization.pytest_plugin.outcomes import Outcomes, outcome_of

pytestmark = pytest.mark.dashboard


def made(longrepr: Any = None, when: str | None = "call", outcome: str = "failed", **more: Any) -> Any:
    return SimpleNamespace(longrepr=longrepr, when=when, outcome=outcome, nodeid="test_a.py::test_b", **more)


class Crash:
    """pytest's representation of an exception."""

    def __init__(self, message: str) -> None:
        self.reprcrash = SimpleNamespace(message=message)

    def __str__(self) -> str:
        return f"def test_b():\nE   {self.reprcrash.message}"


@pytest.mark.parametrize(
    ("longrepr", "kind", "message", "category"),
    [
        (Crash("assert 1 == 2"), "AssertionError", "assert 1 == 2", None),
        (Crash("ValueError: no\nsecond line"), "ValueError", "ValueError: no\nsecond line", None),
        (Crash("torch.cuda.OutOfMemoryError: x"), "OutOfMemoryError", "torch.cuda.OutOfMemoryError: x", None),
        (Crash("Failed: Timeout (>1.0s) from pytest-timeout."), "Timeout", "Failed: Timeout (>1.0s) from pytest-timeout.", "TEST_TIMEOUT"),
        (Crash("Timeout >2.0s"), "Timeout", "Timeout >2.0s", "TEST_TIMEOUT"),
        ("[XPASS(strict)] known bug", "UnexpectedPass", "[XPASS(strict)] known bug", "TEST_FAILURE"),
        ("first\nlast line\n\n", "Failure", "last line", None),
        ("", "Failure", "failed without a message", None),
        (None, "Failure", "failed without a message", None),
    ],
)  # fmt: skip
def test_a_report_without_what_the_worker_adds(longrepr: Any, kind: str, message: str, category: str | None) -> None:
    fields = failure(made(longrepr))
    assert (fields["type"], fields["message"], fields.get("error_category")) == (kind, message, category)


def test_what_the_worker_added_comes_first() -> None:
    given = {"type": "KeyError", "message": "'x'", "traceback": "Traceback …", "marks": ["gpu"], "pid": 7}
    report = made(Crash("KeyError: 'x'"), error_visualization=given, sections=[
        ("Captured stdout setup", "a"), ("Captured stdout call", "b" * 9_000), ("Captured stdout setup", "c")])  # fmt: skip
    assert failure(report) == {"type": "KeyError", "message": "'x'", "traceback": "Traceback …"}
    found = details(report)
    assert (found["phase"], found["marks"], found["pid"]) == ("call", ["gpu"], 7)
    assert found["output"]["stdout setup"] == "ac"
    assert found["output"]["stdout call"].startswith("… 1000 characters before\nbbb")
    assert "E   KeyError" in found["representation"]
    assert details(made(when=None)) == {"phase": "collect"}
    assert failure(made(Crash("x"), error_visualization="of another version"))["message"] == "x"


def test_a_subtest_is_named() -> None:
    context = SimpleNamespace(msg="odd", kwargs={"i": "'1'", "name": "ab"})
    assert details(made(context=context))["subtest"] == {"message": "odd", "parameters": {"i": "1", "name": "ab"}}
    assert repeats_subtests(made("contains 2 failed subtests"))
    assert repeats_subtests(made("contains 1 failed subtest"))
    assert not repeats_subtests(made("contains 1 failed subtest", error_visualization={"type": "ValueError"}))
    assert not repeats_subtests(made(Crash("contains 1 failed subtest")))


def test_the_end_of_a_text() -> None:
    assert tail("abc", 3) == "abc"
    assert tail("abcd", 3) == "… 1 characters before\nbcd"


class SilentError(Exception):
    def __str__(self) -> str:
        raise TypeError

    __repr__ = __str__


def test_an_error_whose_text_fails_or_cannot_be_encoded() -> None:
    try:
        raise SilentError
    except SilentError as error:
        found = described(error)
    assert found["type"] == "SilentError"
    assert "without a text: TypeError" in found["message"]
    assert "test_an_error_whose_text_fails" in found["traceback"]
    assert described(ValueError("\udcff"))["message"] == "?"
    assert described(None) == {}
    assert "left out" in described(ValueError("x" * 1_000_000))["message"]
    assert safe(repr, {1}) == "{1}"


def test_the_traceback_begins_in_the_test() -> None:
    def _pytest_like() -> None:
        raise ValueError("x") from KeyError("cause")

    code = compile("def call(f): f()", f"{os.sep}site-packages{os.sep}_pytest{os.sep}python.py", "exec")
    names: dict[str, Any] = {}
    exec(code, names)
    try:
        names["call"](_pytest_like)
    except ValueError as error:
        error.__traceback__ = error.__traceback__.tb_next if error.__traceback__ else None  # this test's own frame
        found = described(error)["traceback"]
    assert "_pytest" + os.sep not in found
    assert "_pytest_like" in found
    assert "KeyError: 'cause'" in found  # chained causes


def test_parameters_and_marks() -> None:
    marks = [SimpleNamespace(name=name) for name in ("gpu", "slow", "gpu")]
    item = SimpleNamespace(iter_markers=lambda: marks, callspec=SimpleNamespace(params={"n": 1, "e": SilentError()}))
    found = placed(item)
    assert (found["marks"], found["parameters"]["n"], found["pid"]) == (["gpu", "slow"], "1", os.getpid())
    assert "without a text" in found["parameters"]["e"]
    assert placed(SimpleNamespace(iter_markers=list))["parameters"] == {}


@pytest.mark.parametrize(
    ("reports", "outcome"),
    [
        ([("setup", "passed"), ("call", "passed"), ("teardown", "passed")], "passed"),
        ([("setup", "passed"), ("call", "failed"), ("teardown", "failed")], "failed"),
        ([("setup", "passed"), ("call", "passed"), ("teardown", "failed")], "errors"),
        ([("setup", "failed"), ("teardown", "passed")], "errors"),
        ([("setup", "skipped"), ("teardown", "passed")], "skipped"),
        ([("setup", "passed"), ("call", "skipped"), ("teardown", "passed")], "skipped"),
        ([("???", "failed")], "errors"),  # its worker died
        ([("setup", "passed"), ("call", "failed"), ("call", "passed")], "failed"),  # a subtest, then its test
        ([("setup", "passed"), ("call", "skipped"), ("call", "passed")], "passed"),  # a subtest was left out
        ([("setup", "passed"), ("call", "rerun"), ("teardown", "passed"), ("setup", "passed"), ("call", "passed")], "passed"),
        ([("call", "passed"), ("teardown", "rerun"), ("call", "passed"), ("teardown", "passed")], "passed"),
        ([("call", "rerun"), ("setup", "failed")], "errors"),  # no call in the last attempt
    ],
)  # fmt: skip
def test_the_outcome_of_a_test(reports: list[tuple[str, str]], outcome: str) -> None:
    outcomes = Outcomes()
    for when, said in reports:
        found = outcome_of(made(when=when, outcome=said))
        if found is None:
            outcomes.forget("gw0", "t")
        elif said != "passed" or when == "call":  # as session.py
            outcomes.add("gw0", "t", found)
    summary = outcomes.summary()
    assert summary["workers"]["gw0"] == {kind: ["t"] if kind == outcome else [] for kind in summary["counts"]}
    assert summary["counts"] == {"passed": 0, "failed": 0, "skipped": 0, "errors": 0, outcome: 1}


@pytest.mark.parametrize("name", ["folder/" * 15, "é" * 20])  # a letter beyond ASCII takes six bytes of JSON
def test_a_very_long_summary_has_only_the_counts(name: str) -> None:
    outcomes = Outcomes()
    for number in range(30_000):
        outcomes.add("gw0", f"tests/{name}test_{number:06}", "passed")
    assert outcomes.summary() == {"counts": {"passed": 30_000, "failed": 0, "skipped": 0, "errors": 0}}


def test_without_a_service_nothing_more_is_imported() -> None:
    code = "import sys, error_visualization.pytest_plugin as p; print(sorted(m for m in sys.modules if m.startswith('error_vis')))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "['error_visualization', 'error_visualization.pytest_plugin']"
