"""What becomes of the values of a report: everything is converted, nothing is raised, and it has a limit."""

import datetime as dt
import json
import time
from collections import UserDict, defaultdict
from typing import Any

import numpy as np
import pytest
from error_visualization.body import MAX_BODY, encoded, encoded_whole, event_id
from error_visualization.cut import cut
from error_visualization.plain import MAX_NODES, Conversion, TooLargeError

pytestmark = pytest.mark.dashboard


class Text(str):
    def __str__(self) -> str:
        raise ValueError("no")


class Broken(UserDict[str, Any]):
    """A mapping that fails after its first item."""

    def items(self) -> Any:
        yield "first", 1
        raise RuntimeError("broken")


class Hostile:
    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)  # pytest itself asks for such
        raise SystemError("no attributes")

    def __str__(self) -> str:
        raise RecursionError

    __repr__ = __str__


def ring() -> list[Any]:
    one: list[Any] = []
    one.append(one)
    return one


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.float32(1.5), 1.5), (np.int64(7), 7), (np.bool_(True), True), (np.array([3]), 3), (np.float64("nan"), None),
        (np.array([1, 2]), "[1 2]"), (float("inf"), None), (10**30, 10**30), ({3}, [3]), (b"a\xff", "a\ufffd"),
        (bytearray(b"b"), "b"), (memoryview(b"c"), "c"), ("x\ud800", "x\ufffd"), ({"k\ud800": 1}, {"k\ufffd": 1}),
        (dt.date(2026, 1, 2), "2026-01-02"), (ValueError("v"), "v"), ((1, [2]), [1, [2]]), ({1: 2, None: 3}, {"1": 2, "None": 3}),
        (defaultdict(int, a=1), {"a": 1}), (Broken(), {"first": 1}), (Hostile(), "<Hostile>"), (Text("t"), "t"),
        (True, True), (None, None), (type, "<class 'type'>"),
    ],
)  # fmt: skip
def test_a_value(value: Any, expected: Any) -> None:
    found = Conversion(1000).plain({"value": value})
    assert found == {"value": expected}
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_a_tensor() -> None:
    torch = pytest.importorskip("torch")
    assert Conversion(1000).plain([torch.tensor(2.5), torch.tensor([1])]) == [2.5, 1]


def test_an_object_that_contains_itself_ends() -> None:
    assert json.dumps(Conversion(1000).plain(ring())).count("[") < 40
    wide: list[Any] = []
    wide += [wide, wide]
    with pytest.raises(TooLargeError):
        Conversion(1000).plain(wide)


def test_too_many_values_cost_the_contexts_and_little_time() -> None:
    began = time.perf_counter()
    body = json.loads(encoded({"worker_id": "w", "message": "m", "system_context": {"rows": [[0] * 1000] * 1000}}))
    assert time.perf_counter() - began < 1
    assert body == {"worker_id": "w", "message": "m"}
    assert len(json.loads(encoded({"message": "m", "rows": [0] * 9_000}))["rows"]) == 9_000 < MAX_NODES


def test_a_traceback_of_5_mb_is_cut_in_the_middle_and_says_so() -> None:
    text = "begin\n" + "x" * 5_000_000 + "\nValueError: the end"
    body = encoded({"worker_id": "w", "message": "é" * 3_000_000, "traceback": text})
    assert len(body) <= MAX_BODY
    found = json.loads(body)
    assert found["traceback"].startswith("begin\n")
    assert found["traceback"].endswith("ValueError: the end")
    assert "characters left out …" in found["traceback"]


def test_cut_says_how_much_is_left_out() -> None:
    assert cut("abc", 3) == "abc"
    assert cut("a" * 100 + "b" * 300, 40) == "a" * 10 + "\n… 360 characters left out …\n" + "b" * 30
    assert cut("abc", 0) == "\n… 3 characters left out …\n"


def test_event_ids_are_unique_and_sort_by_time() -> None:
    ids = [event_id() for _ in range(1000)]
    assert len(set(ids)) == 1000
    assert [one[:16] for one in ids] == sorted(one[:16] for one in ids)


def test_another_request_than_a_report_is_sent_whole_or_not_at_all() -> None:
    body = {"workers": {"gw0": {"passed": [f"test_{n}" for n in range(50_000)], "failed": ["\udc80"]}}}
    sent = json.loads(encoded_whole(body))
    assert sent["workers"]["gw0"]["passed"] == body["workers"]["gw0"]["passed"]
    assert sent["workers"]["gw0"]["failed"] == ["\N{REPLACEMENT CHARACTER}"]
    with pytest.raises(TooLargeError):
        encoded_whole({"workers": ["x" * 1000] * 4_000})


def test_a_number_that_python_does_not_print_is_a_text() -> None:
    found = json.loads(encoded({"message": "kept", "number": -(10**5000), "limit": 2**4095}))
    assert (found["message"], found["limit"]) == ("kept", 2**4095)
    assert found["number"] == hex(-(10**5000))
