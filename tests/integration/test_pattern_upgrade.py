"""Upgrade of a database whose patterns have fingerprints of version 1: they continue under their new ids."""

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import REPORT, Served
from events import event
from upgrade import old_database as database_of

from exporter.patterns import version_1
from exporter.patterns.fingerprint import fingerprint

pytestmark = pytest.mark.dashboard
VERSION = 3  # of the schema of the release before pattern ids
OLD = dt.datetime.now(dt.UTC) - dt.timedelta(minutes=30)  # less than an hour also at the end of a slow run
MESSAGES = ["the engine of pod-7c9f4 has stopped", "the pump is off"]


def old_database(path: Path, old: dt.datetime = OLD) -> list[str]:
    """A database as that release left it after a clean stop, with an error of each of MESSAGES two times. Returns their
    fingerprints."""
    fingerprints = [version_1.fingerprint(REPORT["type"], message, None) for message in MESSAGES]
    database_of(
        path, VERSION,
        [
            event(
                number + 1, message=MESSAGES[number % 2], type=REPORT["type"], category=REPORT["error_category"],
                fingerprint=fingerprints[number % 2], timestamp=old, received_at=old, is_new_pattern=number < 2,
                pattern=MESSAGES[number % 2],
            )
            for number in range(4)
        ],
    )  # fmt: skip
    return fingerprints


def patterns(service: Served) -> dict[str, dict[str, Any]]:
    return {one["pattern_id"]: one for one in service.get("/api/patterns")["patterns"]}


def test_old_patterns_continue_under_new_ids(served: Callable[..., Served], tmp_path: Path) -> None:
    old, untouched = old_database(tmp_path / "errors.duckdb")
    new = fingerprint(REPORT["type"], MESSAGES[0], None).fingerprint
    assert new != old
    service = served("--push-new-patterns")
    assert set(patterns(service)) == {old, untouched}
    answer = service.post({"message": MESSAGES[0]})
    assert (answer["fingerprint"], answer["pattern_id"]) == (new, new)
    (error,) = [one for one in service.get("/api/errors/list")["errors"] if one["id"] == answer["id"]]
    assert error["is_recurring"], "the third of its pattern in an hour"
    for _ in range(2):
        found = patterns(service)
        assert set(found) == {old, untouched, new}, "history is not regrouped"
        assert (found[old]["occurrences"], found[new]["occurrences"]) == (2, 1)
        assert found[new]["ever_first_seen"] == found[old]["ever_first_seen"] == found[old]["first_seen"]
        details = service.get(f"/api/patterns/{new}")
        assert (details["aliases"], details["continues_as"], details["version"]) == ([old], None, 2)
        assert details["explanation"]["fingerprint"] == new
        details = service.get(f"/api/patterns/{old}")
        assert (details["aliases"], details["continues_as"], details["version"]) == ([], new, 1)
        assert details["occurrences"] == 2
        assert details["explanation"] is None
        assert service.get(f"/api/patterns/{untouched}")["continues_as"] is None
        service.kill()
        service = served("--push-new-patterns")
    assert len(service.get(f"/api/errors/list?pattern={old}")["errors"]) == 2


def test_an_old_id_without_errors_in_the_time_range_leads_to_the_new_pattern(
    served: Callable[..., Served], tmp_path: Path
) -> None:
    old, _ = old_database(tmp_path / "errors.duckdb", OLD - dt.timedelta(days=3))
    service = served()
    answer = service.post({"message": MESSAGES[0]})
    assert service.get(f"/api/patterns/{old}")["pattern_id"] == answer["pattern_id"]
    assert service.get(f"/api/patterns/{old}?time_range=168")["pattern_id"] == old


def test_an_old_pattern_can_be_merged_by_hand(served: Callable[..., Served], tmp_path: Path) -> None:
    from test_pattern_decisions import send

    old, untouched = old_database(tmp_path / "errors.duckdb")
    service = served()
    new = service.post({"message": "something else"})["pattern_id"]
    send(service, f"{old}/merge", {"into": new})
    assert {id_: one["occurrences"] for id_, one in patterns(service).items()} == {new: 3, untouched: 2}
