"""Rollups: at every moment each number of a read is what a count over the errors gives, and each level of each rollup
holds what its definition says."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bounded import ALL
from counted import LEVELS, floor
from exact import assert_answers, assert_stored
from fleet import Fleet
from projected import Projected

from exporter.events.event import ErrorEvent
from exporter.store import rollups, search
from exporter.store.texts import traceback_of

pytestmark = pytest.mark.dashboard
ASSIGNED = {"1" * 16: "one", "2" * 16: "one", "3" * 16: "3" * 16, "7" * 16: "3" * 16}  # the current pattern ids


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Projected]:
    store = Projected(tmp_path / "errors.duckdb")
    yield store
    store.close()


@pytest.mark.parametrize("seed", range(3 if ALL else 1))
def test_every_number_is_that_of_the_errors(store: Projected, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """Errors come late, after their hour and day are sealed, and the clock jumps 400 days ahead and back."""
    monkeypatch.setattr(search, "SECONDS", 60)
    monkeypatch.setattr(rollups, "ROLL_AT_ONCE", 17)
    monkeypatch.setattr(rollups, "MERGE_AFTER", 3)
    fleet = Fleet(seed)
    rng = fleet.rng
    for fingerprint, pattern_id in ASSIGNED.items():
        store.database.db.execute(
            "INSERT INTO assignments VALUES (?, 'S', ?, ?)", [fingerprint, pattern_id, pattern_id]
        )
    jumps = {10: dt.timedelta(days=400), 14: dt.timedelta(days=-400)}
    for turn in range(20):
        fleet.now += jumps.get(turn, dt.timedelta())
        fleet.wait()
        store.append(fleet.errors(rng.randrange(1, 40)))
        store.catch_up()
        store.roll_up(rng.choice([1, 10, 30]))
        assert_stored(store, fleet.sent)
        if turn in (4, 8, 13, 19):
            now = rng.choice([fleet.now, floor(fleet.now, LEVELS["hour"]), floor(fleet.now, LEVELS["day"])])
            assert_answers(store, fleet.sent, now, ASSIGNED, rng.sample(FILTERS, 3))


def text_of(one: ErrorEvent) -> str:
    return "\n".join((one.message, traceback_of(one.body), one.type, one.category, one.worker_id)).lower()


FILTERS: Any = (
    ({}, {}),
    ({"severity": ("critical",), "worker": ("w0", "w1", "none")}, {
        "severity": lambda one: one.severity == "critical", "worker": lambda one: one.worker_id in ("w0", "w1"),
    }),
    ({"category": ("network_timeout",), "type": ("Ä",), "hardware": ("cuda", "cpu")}, {
        "category": lambda one: one.category == "NETWORK_TIMEOUT", "type": lambda one: one.type == "Ä",
        "hardware": lambda one: one.hardware_type in ("cuda", "cpu"),
    }),
    ({"group": ("hardware", "test"), "pattern": "one"}, {
        "group": lambda one: one.hardware_error or one.category.startswith("TEST_"),
        "pattern": lambda one: ASSIGNED.get(one.fingerprint) == "one",
    }),
    ({"fingerprint": "2" * 16, "group": ("recurring",)}, {
        "fingerprint": lambda one: one.fingerprint == "2" * 16, "group": lambda one: one.is_recurring,
    }),
    ({"group": ("recurring", "network"), "worker": ("w0", "w1", "w2", "w3", "w4", "w5")}, {
        "group": lambda one: one.is_recurring or one.category.startswith("NETWORK_"),
        "worker": lambda one: one.worker_id in ("w0", "w1", "w2", "w3", "w4", "w5"),
    }),
    ({"not_severity": ("info",), "not_worker": ("w0", "none"), "not_hardware": ("cuda",)}, {
        "severity!": lambda one: one.severity != "info", "worker!": lambda one: one.worker_id != "w0",
        "hardware!": lambda one: one.hardware_type != "cuda",
    }),
    ({"not_group": ("recurring",), "not_pattern": ("one",), "not_job": ("nightly",), "type": ("Ä", "b")}, {
        "group!": lambda one: not one.is_recurring, "pattern!": lambda one: ASSIGNED.get(one.fingerprint) != "one",
        "job!": lambda one: one.job != "nightly", "type": lambda one: one.type in ("Ä", "b"),
    }),
    ({"job": ("nightly",), "branch": ("main", "none"), "severity": ("critical",)}, {
        "job": lambda one: one.job == "nightly", "branch": lambda one: one.branch == "main",
        "severity": lambda one: one.severity == "critical",
    }),
    ({"run": ("r1", "r2"), "commit": ("c0",), "user": ("ada",)}, {
        "run": lambda one: one.run in ("r1", "r2"), "commit": lambda one: one.commit == "c0",
        "user": lambda one: one.user == "ada",
    }),
    ({"device": ("GPU-1", "gpu 0015"), "test": tuple(f"t::{number}" for number in range(9)), "suite": ("unit",)}, {
        "device": lambda one: {"GPU-1", "gpu 0015"} & {*one.devices}, "suite": lambda one: one.suite == "unit",
        "test": lambda one: one.test in {f"t::{number}" for number in range(9)},
    }),
    ({"hardware": ("cuda",)}, {"hardware": lambda one: one.hardware_type == "cuda"}),
    ({"q": "frame", "severity": ("info", "warning")}, {
        "text": lambda one: "frame" in text_of(one), "severity": lambda one: one.severity != "critical",
    }),
    ({"q": "b 1", "type": ("T",)}, {"text": lambda one: "b 1" in text_of(one), "type": lambda one: one.type == "T"}),
    ({"q": "c ", "fingerprint": "4" * 16}, {
        "text": lambda one: "c " in text_of(one), "fingerprint": lambda one: one.fingerprint == "4" * 16,
    }),
)  # fmt: skip
