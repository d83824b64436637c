"""Which run, test and devices a report belongs to, however its sender spells that."""

import json
from typing import Any

import pytest

from exporter.events.report import MAX_DEVICES, MAX_LABEL, MAX_TEST_ID
from exporter.ingest.origin import NOWHERE, Origin, origin
from exporter.ingest.parse import parse_report

pytestmark = pytest.mark.dashboard


def read(**sent: Any) -> tuple[Origin, list[str]]:
    """Returns the origin of a report of the worker `w`, and the warnings about values that could not be read."""
    report, _, dropped = parse_report(json.dumps({"worker_id": "w", "message": "m", **sent}).encode())
    return origin(report, "w"), [one.warning for one in dropped]


RUN = {"id": "r", "job": "j", "suite": "s", "branch": "b", "commit": "c", "user": "u", "url": "https://x/1"}


def test_every_column_has_the_value_of_its_field() -> None:
    found, dropped = read(run=RUN, test={"id": "t", "file": "f", "attempt": 2, "outcome": "failed", "duration": 1.5},
                          devices=[{"kind": "gpu", "uuid": "GPU-1"}])  # fmt: skip
    assert found == Origin("r", "j", "s", "b", "c", "u", "t", ("GPU-1",))
    assert dropped == []


def test_a_report_without_any_has_none() -> None:
    for sent in ({}, {"run": None, "test": None, "devices": None}, {"devices": []}):
        assert read(**sent)[0] is NOWHERE
    assert read(run={}, test={"id": " "}, devices=[{}])[0] == NOWHERE


TOLERANT = [
    ({"run": "4711"}, Origin(run="4711")),
    ({"run": 4711}, Origin(run="4711")),
    ({"run": {"id": 7.0, "user": 1}}, Origin(run="7", user="1")),
    ({"run": "N/A"}, NOWHERE),
    ({"test": "t::a"}, Origin(test="t::a")),
    ({"test": {"id": "a", "attempt": "2", "duration": "3 s"}}, Origin(test="a")),
    ({"devices": "GPU-1, GPU-2"}, Origin(devices=("GPU-1", "GPU-2"))),
    ({"devices": ["GPU-1", {"uuid": "GPU-1"}, None]}, Origin(devices=("GPU-1",))),
    ({"devices": [0]}, Origin(devices=("w 0",))),
    ({"devices": {"uuid": "GPU-1"}}, Origin(devices=("GPU-1",))),
    ({"devices": {"0": {"kind": "gpu"}}}, Origin(devices=("w gpu 0",))),
    ({"run": {"id": "  a\nb\x1b[31m "}}, Origin(run="a b")),
    ({"run": {"id": "a\x1fb"}}, Origin(run="a b")),
]  # fmt: skip


@pytest.mark.parametrize(("sent", "expected"), TOLERANT)
def test_a_value_of_another_type_is_read_as_it_is_meant(sent: dict[str, Any], expected: Origin) -> None:
    assert read(**sent) == (expected, [])


@pytest.mark.parametrize(
    ("sent", "warning"),
    [
        ({"run": True}, "run: expected an object, got true: dropped"),
        ({"run": ["a"]}, "run: expected an object, got an array: dropped"),
        ({"run": {"job": {}}}, "run.job: expected a string, got an object: dropped"),
        ({"test": {"attempt": 1.5}}, "test.attempt: expected a whole number, got a number with a fraction: dropped"),
        ({"devices": 3}, "devices: expected an array, got a whole number: dropped"),
        ({"devices": [True]}, "devices[0]: expected an object, got true: dropped"),
    ],
)
def test_what_cannot_be_read_is_named_and_costs_nothing_else(sent: dict[str, Any], warning: str) -> None:
    found, dropped = read(**sent, **({} if "test" in sent else {"test": "t"}))
    assert dropped == [warning]
    assert found.test == (None if "test" in sent else "t")


def test_long_texts_are_cut_with_a_warning() -> None:
    found, _ = read(run={"id": "x" * 300, "job": "y" * MAX_LABEL}, test="z" * 2_000)
    assert (found.run, found.job, found.test) == ("x" * MAX_LABEL, "y" * MAX_LABEL, "z" * MAX_TEST_ID)
    assert found.warnings == (
        "run.id: only the first 256 of 300 characters can be searched for",
        "test.id: only the first 1,024 of 2,000 characters can be searched for",
    )


def test_of_many_devices_the_first_count() -> None:
    found, dropped = read(devices=[{"uuid": f"GPU-{number:03}"} for number in range(100)])
    assert found.devices == tuple(f"GPU-{number:03}" for number in range(MAX_DEVICES))
    assert found.warnings == ("devices: only the first 64 of 100 can be searched for",)
    assert dropped == []


DEVICES = [
    ({"uuid": "GPU-1", "serial": "9", "pci": "p"}, "GPU-1"),
    ({"kind": "gpu", "serial": "0123"}, "gpu 0123"),
    ({"serial": 123}, "123"),
    ({"kind": "gpu", "pci": "0000:3B:00.0", "index": 1}, "w gpu 0000:3b:00.0"),
    ({"kind": "nic", "index": "2"}, "w nic 2"),
    ({"index": 0}, "w 0"),
]


@pytest.mark.parametrize(("device", "name"), DEVICES)
def test_a_device_is_named_by_what_identifies_it_best(device: dict[str, Any], name: str) -> None:
    assert read(devices=[device])[0].devices == (name,)
    assert read(devices=[{"kind": "gpu"}])[0].devices == ()


def test_two_workers_have_devices_of_their_own_at_one_place() -> None:
    report, _, _ = parse_report(b'{"worker_id": "w", "message": "m", "devices": [{"index": 0}]}')
    assert origin(report, "w1").devices != origin(report, "w2").devices
