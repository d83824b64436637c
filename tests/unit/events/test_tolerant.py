"""Odd values of known fields: what is read as it is meant, what counts as absent, and what is dropped and named."""

import json
from typing import Any

import msgspec
import pytest

from exporter.events.report import ErrorReport
from exporter.events.tolerant import FIELDS, MAX_ITEMS, MAX_WARNINGS, Dropped, readable, warnings_of

pytestmark = pytest.mark.dashboard
CPU = "system_context.metrics.cpu"
DISK = "system_context.metrics.disk"
GPUS = "system_context.gpu_metrics"
DEVICES = f"{GPUS}.devices"
STATUS = "hardware_context.hardware_status"
COUNTS = "error_frequency.same_type"
HUGE = "9" * 400


def sent(path: str, value: Any) -> dict[str, Any]:
    """Returns a report with `value` at `path`."""
    for name in reversed(path.split(".")):
        value = {name: value}
    return {"worker_id": "w", "message": "m"} | value


def read(path: str, value: Any) -> tuple[Any, list[Dropped]]:
    """Returns what is read of `value` at `path`, and what is dropped. Checks that a struct can hold all of it."""
    report = sent(path, value)
    before = json.dumps(report)
    found, dropped = readable(report)
    msgspec.convert(found, ErrorReport)
    assert json.dumps(report) == before
    for name in path.split("."):
        found = found[name]
    return found, dropped


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        # numbers
        (f"{CPU}.percent", "68", 68),
        (f"{CPU}.percent", " 93.5 ", 93.5),
        (f"{CPU}.percent", "93.5 %", 93.5),
        (f"{CPU}.percent", "93.5%", 93.5),
        (f"{CPU}.percent", "-1", -1),
        (f"{CPU}.percent", "+.5", 0.5),
        (f"{CPU}.percent", "1e1", 10),
        (f"{CPU}.frequency_mhz", "1410 MHz", 1410),
        (f"{DISK}.free_gb", "40.5 GiB", 40.5),
        (f"{DISK}.free_gb", "40GB", 40),
        (f"{CPU}.percent", 12.5, 12.5),
        (f"{CPU}.percent", 12, 12),
        # whole numbers
        (f"{CPU}.count", 8.0, 8),
        (f"{CPU}.count", "8", 8),
        (f"{CPU}.count", "8.0", 8),
        (f"{COUNTS}.last_1h", "3", 3),
        (f"{COUNTS}.last_1h", 1e3, 1000),
        # flags
        (f"{STATUS}.throttling", 1, True),
        (f"{STATUS}.throttling", 0, False),
        (f"{STATUS}.throttling", 1.0, True),
        (f"{STATUS}.throttling", "True", True),
        (f"{STATUS}.throttling", " yes", True),
        (f"{STATUS}.throttling", "on", True),
        (f"{STATUS}.throttling", "Active", True),
        (f"{STATUS}.throttling", "Not Active", False),
        (f"{STATUS}.throttling", "0", False),
        (f"{STATUS}.throttling", "off", False),
        ("is_system_critical", "false", False),
        ("error_frequency.recurring", "n", False),
        # texts
        ("worker_id", 17, "17"),
        ("worker_id", 17.0, "17"),
        ("type", 404, "404"),
        ("type", 1.5, "1.5"),
        ("error_category", 3, "3"),
        ("event_id", 12345678901, "12345678901"),
        ("event_id", 7.0, "7"),
        ("event_id", -7, "-7"),
        ("system_context.python_version", 3.11, "3.11"),
        ("hardware_context.hardware_type", 0, "0"),
        # message and traceback
        ("message", 404, "404"),
        ("message", True, "true"),
        ("message", {"code": 5, "detail": "über"}, '{"code": 5, "detail": "über"}'),
        ("message", ["a", "b"], "a\nb"),
        ("traceback", ["Traceback:\n", '  File "x"\n    y\n', "E: z\n"], 'Traceback:\n  File "x"\n    y\nE: z\n'),
        ("traceback", ["a", 1, None, {"line": 2}], 'a\n1\nnull\n{"line": 2}'),
        ("traceback", [[1]] * 2_000, json.dumps([[1]] * 2_000)),
        ("traceback", [], None),
        ("message", {}, None),
        # lists
        (DEVICES, {"index": 0, "temperature": "68 C"}, [{"index": 0, "temperature": 68}]),
        (DEVICES, {"0": {"temperature": 68}, "3": {"name": 7}},
         [{"index": 0, "temperature": 68}, {"index": 3, "name": "7"}]),
        (DEVICES, {"cuda:0": {"temperature": "68 °C"}}, [{"temperature": 68}]),
        (DEVICES, {"0": {"index": 5}}, [{"index": 5}]),
        (DEVICES, [None, {"index": "14"}, "N/A"], [{}, {"index": 14}, {}]),
        (DEVICES, {}, None),
        (GPUS, {"count": "2", "driver": [1]}, {"count": 2, "driver": [1]}),
        ("hardware_context.hardware_types", "cuda, cpu", ["cuda", "cpu"]),
        ("hardware_context.hardware_types", ["cuda", None, 7], ["cuda", "7"]),
        # what the sender adds is kept, and so is the timestamp, which has a reading of its own
        ("labels", {"team": ["x"]}, {"team": ["x"]}),
        ("timestamp", {"seconds": 1}, {"seconds": 1}),
        ("timestamp", ["2026"], ["2026"]),
    ],
)  # fmt: skip
def test_what_is_meant_is_read(path: str, value: Any, expected: Any) -> None:
    found, dropped = read(path, value)
    assert found == expected
    assert type(found) is type(expected) or isinstance(expected, float | int)
    assert not dropped


@pytest.mark.parametrize(
    "value",
    ["", "  ", "N/A", "[N/A]", "[Not Supported]", "not supported", "nan", "None", "null", "-", "Unknown", "[]", "<NA>"],
)
@pytest.mark.parametrize(
    "path", [f"{CPU}.percent", f"{CPU}.count", f"{STATUS}.overheating", CPU, DEVICES, "system_context", COUNTS]
)
def test_a_word_for_no_value_is_absent_without_a_warning(path: str, value: str) -> None:
    assert read(path, value) == (None, [])


@pytest.mark.parametrize("path", ["system_context", CPU, STATUS, COUNTS, "hardware_context.hardware_types"])
def test_an_empty_list_is_the_empty_object_of_php(path: str) -> None:
    found, dropped = read(path, [])
    assert (found, dropped) == (None, [])


@pytest.mark.parametrize(
    ("path", "value", "warning"),
    [
        (f"{CPU}.percent", "high", "expected a number, got a string"),
        (f"{CPU}.percent", "93,5", "expected a number, got a string"),
        (f"{CPU}.percent", "0x10", "expected a number, got a string"),
        (f"{CPU}.percent", "1_000", "expected a number, got a string"),
        (f"{CPU}.percent", "\u0663", "expected a number, got a string"),
        (f"{CPU}.percent", "12 GB", "expected a number, got a string"),
        (f"{DISK}.free_gb", "40960 MiB", "expected a number, got a string"),
        (f"{CPU}.count", "8 %", "expected a whole number, got a string"),
        (f"{CPU}.percent", True, "expected a number, got true"),
        (f"{CPU}.percent", [1], "expected a number, got an array"),
        (f"{CPU}.percent", {"value": 1}, "expected a number, got an object"),
        (f"{CPU}.percent", float("inf"), "expected a number, got a number out of range"),
        (f"{CPU}.percent", "1e999", "expected a number, got a number out of range"),
        (f"{CPU}.percent", 10**400, "expected a number, got a number out of range"),
        (f"{CPU}.percent", HUGE, "expected a number, got a string"),
        (f"{CPU}.count", 8.5, "expected a whole number, got a number with a fraction"),
        (f"{CPU}.count", 1e300, "expected a whole number, got a number out of range"),
        (f"{CPU}.count", 2**64, "expected a whole number, got a number out of range"),
        (f"{CPU}.count", False, "expected a whole number, got false"),
        (f"{STATUS}.overheating", 2, "expected true or false, got a whole number"),
        (f"{STATUS}.overheating", "maybe", "expected true or false, got a string"),
        (f"{STATUS}.overheating", [], "expected true or false, got an array"),
        ("is_system_critical", {}, "expected true or false, got an object"),
        ("type", ["T"], "expected a string, got an array"),
        ("type", True, "expected a string, got true"),
        ("error_category", {}, "expected a string, got an object"),
        ("system_context.hostname", [], "expected a string, got an array"),
        ("message", float("inf"), "expected a string, got a number out of range"),
        ("event_id", 1.5, "expected a string, got a number that is not whole"),
        ("event_id", 2**53 + 0.0, "expected a string, got a number that is not whole"),
        ("system_context", "linux", "expected an object, got a string"),
        ("system_context", 3, "expected an object, got a whole number"),
        ("system_context.metrics", [{}], "expected an object, got an array"),
        (CPU, 97.5, "expected an object, got a number"),
        ("hardware_context", True, "expected an object, got true"),
        ("error_frequency", 5, "expected an object, got a whole number"),
        (DEVICES, "A100", "expected an array, got a string"),
        (DEVICES, 2, "expected an array, got a whole number"),
        ("hardware_context.hardware_types", {"a": 1}, "expected an array, got an object"),
        ("timestamp", float("inf"), "expected a time, got a number out of range"),
    ],
)  # fmt: skip
def test_what_has_no_meaning_is_dropped_and_named(path: str, value: Any, warning: str) -> None:
    found, dropped = read(path, value)
    assert found is None
    assert warnings_of(dropped) == (f"{path}: {warning}: dropped",)
    assert [one.field for one in dropped] == [path]
    assert path in (*FIELDS, "event_id")


def test_the_path_of_an_item_has_its_index_and_the_field_has_none() -> None:
    found, dropped = read(DEVICES, [{"index": 0}, "A100", {"temperature": "hot", "name": "B"}])
    assert found == [{"index": 0}, {}, {"temperature": None, "name": "B"}]
    assert [(one.path, one.field) for one in dropped] == [
        (f"{DEVICES}[1]", f"{DEVICES}[]"),
        (f"{DEVICES}[2].temperature", f"{DEVICES}[].temperature"),
    ]
    assert {one.field for one in dropped} < set(FIELDS)
    types = "hardware_context.hardware_types"
    assert read(types, ["a", []]) == (["a"], [Dropped(f"{types}[]", f"{types}[1]", "a string", "an array")])


def test_long_lists_are_cut() -> None:
    found, dropped = read(DEVICES, [{}] * (MAX_ITEMS + 1))
    assert len(found) == MAX_ITEMS
    assert warnings_of(dropped) == (f"{DEVICES}[1024:]: expected at most 1024 items, got 1025: dropped",)


def test_warnings_are_few_and_short() -> None:
    _, dropped = read(DEVICES, [{"temperature": "hot" * 1000}] * (MAX_WARNINGS + 5))
    named = warnings_of(dropped)
    assert len(named) == MAX_WARNINGS + 1
    assert named[-1] == "5 more values were dropped"
    assert max(map(len, named)) < 200
    assert len(warnings_of(dropped[:MAX_WARNINGS])) == MAX_WARNINGS


def test_the_fields_are_those_of_the_schema() -> None:
    assert len(FIELDS) == len(set(FIELDS))
    assert {"message", "timestamp", f"{CPU}.percent", f"{DEVICES}[].temperature", f"{COUNTS}.last_24h"} < set(FIELDS)


def test_other_fields_of_an_odd_report_keep_their_values() -> None:
    report = {
        "worker_id": 3, "message": "m", "labels": {"a": [None]},
        "system_context": {"rack": 7, "hostname": "h", "metrics": {"cpu": {"percent": "x", "model": "Z"}, "gpu": 5}},
    }  # fmt: skip
    found, dropped = readable(report)
    assert found == {
        "worker_id": "3", "message": "m", "labels": {"a": [None]},
        "system_context": {"rack": 7, "hostname": "h", "metrics": {"cpu": {"percent": None, "model": "Z"}, "gpu": 5}},
    }  # fmt: skip
    assert [one.path for one in dropped] == [f"{CPU}.percent"]
